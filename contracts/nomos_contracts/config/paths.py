"""Paths that try to leave the provider's own data, proven by canaries that must never come back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.config.documents import as_map
from nomos_contracts.config.escapes import Canary, TooLargeError, bases, escapes, from_home, relocated
from nomos_contracts.config.probes import evenly, fetch_all, made_up, prefixes
from nomos_contracts.config.samples import ConfigSamples, Segments
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import RunningProvider, Starter, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation, shorten


class TraversalContract(Contract):
    """Whatever a path spells, it stays below the provider's own data.

    Names are compared with what a name may be before anything is decoded, joined or opened; then the final path,
    links resolved, is compared with the root and its separator.
    """

    @clause("CFG-PATH-001")
    def test_does_not_leave_its_data(
        self,
        nomos_fresh: RunningProvider,
        nomos_target: TargetFacts,
        nomos_samples: ConfigSamples,
        nomos_scratch: Path,
        nomos_random: Random,
    ) -> None:
        """Canaries lie in its working folder and elsewhere; some hundred spellings lead to them."""
        source = _source_of(nomos_fresh)
        insides = _insides(nomos_samples)
        canaries = [
            Canary.plant(nomos_fresh.scratch.resolve() / "kept", made_up(nomos_random), made_up(nomos_random, 24)),
            Canary.plant(nomos_scratch.resolve(), made_up(nomos_random), made_up(nomos_random, 24)),
        ]
        paths = [path for base in bases(nomos_fresh, source) for path in escapes(base, canaries[1], insides)]
        paths += escapes(nomos_fresh.scratch.resolve(), canaries[0], insides)
        paths += from_home(nomos_fresh.scratch.resolve(), canaries[0])
        _expect_no_canary(nomos_fresh, evenly(paths, nomos_target), canaries)

    @clause("CFG-PATH-001")
    def test_does_not_leave_a_copy_of_its_data(
        self,
        nomos_fresh: RunningProvider,
        nomos_spawn: Starter,
        nomos_target: TargetFacts,
        nomos_samples: ConfigSamples,
        nomos_scratch: Path,
        nomos_random: Random,
    ) -> None:
        """Right beside the data: one folder up, and in a sibling whose name begins like the root's."""
        config, root = _moved(nomos_fresh, nomos_spawn, nomos_scratch.resolve())
        expect_initialised(nomos_fresh, config)
        insides = _insides(nomos_samples)
        canaries = [
            Canary.plant(root.parent, f"root{made_up(nomos_random)}", made_up(nomos_random, 24)),
            Canary.plant(root.parent / "root-kept", made_up(nomos_random), made_up(nomos_random, 24)),
        ]
        paths = [path for canary in canaries for path in escapes(root, canary, insides)]
        name = canaries[0].name.removeprefix("root")
        # A root that is compared or joined without its separator.
        paths += [(name,), (f"-kept/{canaries[1].name}",), ("-kept", canaries[1].name)]
        _expect_no_canary(nomos_fresh, evenly(paths, nomos_target), canaries)

    @clause("CFG-PATH-002")
    def test_does_not_follow_a_link_out_of_its_data(
        self, nomos_fresh: RunningProvider, nomos_spawn: Starter, nomos_scratch: Path, nomos_random: Random
    ) -> None:
        """Links to a file and to folders, absolute, relative, through a second link, and to one named like the root."""
        config, root = _moved(nomos_fresh, nomos_spawn, nomos_scratch.resolve())
        # `Path.is_file` raises for a text that is too long for a path.
        if any(os.path.isfile(value) for value in config.values() if isinstance(value, str)):  # noqa: PTH113
            raise NotApplicable("the provider reads a file, not a folder")
        canary = Canary.plant(nomos_scratch.resolve() / "outside", made_up(nomos_random), made_up(nomos_random, 24))
        sibling = Canary.plant(root.with_name("root-old"), made_up(nomos_random), made_up(nomos_random, 24))
        links = [made_up(nomos_random) for _ in range(6)]
        (root / links[0]).symlink_to(canary.folder)
        (root / links[1]).symlink_to(Path("..", "..", "outside"))
        (root / links[2]).symlink_to(links[0])
        # A root that is compared as text, without its separator, is the beginning of this folder's name.
        (root / links[4]).symlink_to(sibling.folder)
        (root / links[5]).symlink_to(Path("..", "root-old"))
        for ending in ("", ".json", ".yaml", ".yml", ".txt"):
            (root / f"{links[3]}{ending}").symlink_to(canary.folder / f"{canary.name}{ending}")
        expect_initialised(nomos_fresh, config)
        paths: list[Segments] = [(links[3],), (f"{links[3]}.json",), (links[3], "token"), ("*",), ()]
        places = [(link, canary) for link in links[:3]] + [(link, sibling) for link in links[4:]]
        for link, behind in places:
            paths += [(link,), (link, behind.name), (link, f"{behind.name}.json"), (link, behind.name, "token")]
            paths += [(link, "*")]
        _expect_no_canary(nomos_fresh, paths, [canary, sibling])


def expect_initialised(provider: RunningProvider, config: Mapping[str, Any]) -> None:
    """Call Init with the copied data.

    Raises:
        NotApplicable: the provider does not take it; then its data is more than the files that it names.
    """
    answer = provider.init(config)
    if not answer.ok:
        raise NotApplicable(f"a copy of the data is not accepted: Init answered {answer.code}")


def _source_of(provider: RunningProvider) -> str:
    """Call the good Init and return the source file path that it sent."""
    initialised(provider)
    return str((as_map(provider.answers[-1].request) or {}).get("source_file_path", ""))


def _insides(samples: ConfigSamples) -> list[Segments]:
    """Return where paths go in: folders, files and maps that exist, those that cannot be read or parsed included."""
    odd = [path[:-1] for path in (*samples.malformed, *samples.forbidden, *samples.slow) if len(path) > 1]
    return prefixes([*(sample.path for sample in samples.values), *odd]) or [("app",)]


def _moved(provider: RunningProvider, spawn: Starter, scratch: Path) -> tuple[dict[str, Any], Path]:
    """Copy the data that the good configuration names; return the configuration of the copy and its root.

    Raises:
        NotApplicable: it names none, or too much.
    """
    try:
        config = relocated(provider.good_config, provider.scratch, "", scratch)
        if config is None:
            # Relative paths start at a file that only an Init tells.
            source = _source_of(running(spawn()))
            config = relocated(provider.good_config, provider.scratch, source, scratch)
    except TooLargeError as error:
        raise NotApplicable(str(error)) from None
    if config is None:
        raise NotApplicable("the configuration names no file and no folder")
    return config, scratch / "area0" / "root"


def _expect_no_canary(provider: RunningProvider, paths: Iterable[Segments], canaries: list[Canary]) -> None:
    asked = list(dict.fromkeys(paths))
    try:
        answers = fetch_all(provider, asked)
    finally:
        for canary in canaries:
            canary.remove()
    for path, answer in zip(asked, answers, strict=True):
        if any(canary.shows_in(answer) for canary in canaries):
            expected = f"Fetch of {shorten(list(path))} gives nothing of a file outside the provider's data"
            raise Violation(expected, answer.summary, answer)
    health = provider.health()
    if health.gone:
        raise Violation(
            "a provider that survives paths that lead out of its data", health.summary, *answers[-1:], health
        )
    provider.stop()
    logged = provider.stderr() + provider.stdout()
    if any(canary.token.encode() in logged for canary in canaries):
        raise Violation(
            "nothing of a file outside the provider's data in its log", "the file's content on stderr or stdout"
        )
