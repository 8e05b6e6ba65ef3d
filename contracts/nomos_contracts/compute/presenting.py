"""Presenting: what a program says of itself, to Describe, Info and Health, and what an Init that fails leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import told
from nomos_contracts.compute.interface import CORE, INTERFACE
from nomos_contracts.config.health import status_of
from nomos_contracts.config.info import SEMVER
from nomos_contracts.config.interface import INIT_CODES, HealthStatus
from nomos_contracts.contract import Contract
from nomos_contracts.faces import WireFace, interface_in
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, InterfaceProvider, RunningProvider, Starter
from nomos_contracts.violation import NotApplicable, Violation, expect_code, expect_ok, shorten
from nomos_proto.kinds import is_map

LIFECYCLE: Final = frozenset({"on_startup", "on_shutdown"})
"""Methods that need no arguments and change what the provider is."""

PROTOCOLS: Final = frozenset({"v1", "v2"})
"""Versions of the protocol that every provider of functions serves."""

NAME_SIGNS: Final = frozenset(".+-_")
"""What the name of a provider holds beside letters and digits."""

KEYS_TRIED: Final = 3
"""Keys of the good configuration that hold something else, one after the other."""

TURNS: Final = 4
"""How often Health is asked while calls run."""

BESIDE: Final = 4
"""Calls that run beside Health."""


def program_of(provider: InterfaceProvider) -> WireFace:
    """Return *provider* as a program.

    Raises:
        NotApplicable: it is an object in this process.
    """
    if not isinstance(provider, WireFace):
        raise NotApplicable("in this process there is no program around the methods")
    return provider


@dataclass(frozen=True)
class Described:
    """What Describe says of the interface; in which order it lists things has no meaning.

    Attributes:
        capabilities: what it declares.
        functions: name, and whether it is streaming and idempotent, of each function.
    """

    capabilities: frozenset[str]
    functions: frozenset[tuple[str, bool, bool]]

    @property
    def names(self) -> frozenset[str]:
        """The names of its functions."""
        return frozenset(name for name, *_ in self.functions)


def description_of(provider: RunningProvider, when: str) -> tuple[Described, Answer]:
    """Ask Describe.

    Raises:
        Violation: it fails, or does not list the interface in its version.
    """
    answer = provider.describe()
    if not answer.ok:
        raise Violation(f"Describe answers {when}", answer.summary, answer)
    found = interface_in(answer.value, INTERFACE.name)
    if found.get("version") != INTERFACE.version:
        expected = f"Describe lists the interface {INTERFACE.name}, version {INTERFACE.version}, {when}"
        raise Violation(expected, shorten(answer.value), answer)
    functions = ((str(one["name"]), bool(one["streaming"]), bool(one["idempotent"])) for one in found["functions"])
    return Described(frozenset(map(str, found["capabilities"])), frozenset(functions)), answer


class PresentingContract(Contract):
    """What a caller learns before the first call, and after an Init that failed.

    Answer from what was built, without waiting for a call, and from the same constants in both versions.
    """

    @clause("CMP-CALL-002")
    def test_describe_says_what_is_there(self, nomos_spawn: Starter) -> None:
        """Before Init and after it, and from then on the same; what it lists can be called, and nothing else."""
        provider = running(nomos_spawn())
        before, early = description_of(provider, "before Init")
        first, after = description_of(initialised(provider), "after Init")
        for name in ("type", "version"):
            if early.value.get(name) != after.value.get(name):
                expected = f"Describe says the same {name} before and after Init: {early.value.get(name)!r}"
                raise Violation(expected, repr(after.value.get(name)), early, after)
        if missing := (first.names & set(CORE)) - before.names:
            raise Violation(f"Describe lists {', '.join(sorted(missing))} before Init", "it does not", early, after)
        if streaming := sorted(name for name, streams, _ in first.functions if streams):
            raise Violation("functions that answer through Call do not stream", ", ".join(streaming), after)
        self._callable(provider, first)
        again, later = description_of(provider, "later")
        if again != first:
            raise Violation(f"Describe says the same as before: {shorten(first)}", shorten(again), after, later)

    @staticmethod
    def _callable(provider: RunningProvider, described: Described) -> None:
        """Call methods without arguments: one that is there answers, or refuses that."""
        for name, method in INTERFACE.methods.items():
            # A method of a capability that is not declared may be there, and refuse.
            silent = method.capability and method.capability not in described.capabilities
            if name in LIFECYCLE or silent:
                continue
            answer = provider.call(name, {}, interface=INTERFACE.name)
            if (answer.code != "UNIMPLEMENTED") != (name in described.names):
                listed = "listed" if name in described.names else "not listed"
                raise Violation(
                    f"Describe lists {name} if it is there", f"it is {listed}, and answered {told(answer)}", answer
                )

    @clause("CMP-CALL-005")
    def test_describe_and_info_agree(self, nomos_spawn: Starter) -> None:
        """Before Init and after it; with a name, and a schema that a person or an editor can use."""
        provider = running(nomos_spawn())
        # Whether Describe answers that early is another clause's matter.
        if provider.describe().ok:
            _expect_identity(provider, "before Init")
        _expect_identity(initialised(provider), "after Init")

    @clause("CMP-CALL-006")
    def test_health_answers_always(self, nomos_spawn: Starter) -> None:
        """Before Init, after it, and while other calls run."""
        provider = running(nomos_spawn())
        status_of(provider.health(), "before Init")
        initialised(provider)
        for when in ("after Init", "after Init, again"):
            if status_of(provider.health(), when) == HealthStatus.UNSPECIFIED:
                raise Violation(f"a status that is set {when}", HealthStatus.UNSPECIFIED, *provider.answers[-1:])
        for _ in range(TURNS):
            calls = [provider.start_call("list", {}, interface=INTERFACE.name) for _ in range(BESIDE)]
            said = status_of(provider.health(), "while calls run")
            for call in calls:
                call.answer()
            if said == HealthStatus.UNSPECIFIED:
                raise Violation("a status that is set while calls run", said, *provider.answers[-1:])

    @clause("CMP-CALL-007")
    def test_an_init_that_fails_spoils_nothing(self, nomos_spawn: Starter) -> None:
        """With a key that holds something else, without a configuration and without an alias, in a process each."""
        first = initialised(running(nomos_spawn()))
        first.stop()
        refused = False
        for config, alias in _doubtful(first.good_config):
            provider = running(nomos_spawn())
            answer = provider.init(config, alias=alias)
            if not answer.ok:
                refused = True
                expect_code(answer, *INIT_CODES, because="as Init fails")
                good = expect_ok(provider.init(), "the good Init after one that failed")
                listed = provider.call("list", {}, interface=INTERFACE.name)
                if not listed.ok:
                    raise Violation("list answers after the good Init", told(listed), answer, good, listed)
            provider.stop()
        if not refused:
            raise NotApplicable("no Init was refused")


def _doubtful(good: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Yield configurations and aliases that many a provider refuses; None is the usual alias."""
    yield good, ""
    yield {}, None
    for key in list(good)[:KEYS_TRIED]:
        for wrong in ([["nomos"]], {"nomos": [1]}):
            yield {**good, key: wrong}, None


def _expect_identity(provider: RunningProvider, when: str) -> None:
    """Ask Info and Describe what the provider is.

    Raises:
        Violation: one of the two fails, they differ, or what they say is not of the form that it has.
    """
    info, described = expect_ok(provider.info(), when), provider.describe()
    if not described.ok:
        raise Violation(f"Describe answers {when}", described.summary, described)
    found = described.value
    for name in ("type", "version"):
        said = info.value.get(name) if is_map(info.value) else None
        if not said or found[name] != said:
            expected = f"Describe and Info tell one {name} {when}, and one that is not empty"
            raise Violation(expected, f"{found[name]!r} and {said!r}", info, described)
    if not SEMVER.fullmatch(found["version"]):
        raise Violation("a version such as 1.2.3 or 1.2.3-rc.1+build.5", repr(found["version"]), info, described)
    name = found["name"]
    if not name or not all(sign.isalnum() or sign in NAME_SIGNS for sign in name):
        raise Violation("a name of letters, digits, dots, plus signs, hyphens and underscores", repr(name), described)
    if missing := PROTOCOLS - set(found["protocol_versions"]):
        expected = f"the protocol versions {', '.join(sorted(PROTOCOLS))} in Describe"
        raise Violation(expected, f"without {', '.join(sorted(missing))}", described)
    if found["config_schema"] and not _is_schema(found["config_schema"]):
        raise Violation("a config_schema that is empty or a JSON Schema", shorten(found["config_schema"]), described)


def _is_schema(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | bool)
    except (ValueError, RecursionError):
        return False
