"""Bootstrap: a valid script whose checksum is right, and in which nothing that is configured can run by itself."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.attacks import (
    BAD_NAMES,
    HOST_FEATURES,
    LINES,
    PLAIN_VALUES,
    QUOTES,
    REFUSALS,
    Trial,
    delimiters_of,
    expect_machine,
    made,
    plan_of,
    run,
    script_of,
    writer,
)
from nomos_contracts.compute.fleet import bootstrap, code_of, shaped, told
from nomos_contracts.compute.interface import BootstrapConfig, BootstrapFeature, FeatureName
from nomos_contracts.compute.plans import ScriptError
from nomos_contracts.compute.sandbox import Execution
from nomos_contracts.compute.scripts import parse
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.violation import Violation, shorten

AGENT: Final = "https://agent.example.com/nomos-agent"
RUNS: Final = "nomos-user-script"


STARTERS: Final = r"(at|crontab|docker|initctl|podman|rc-service|rc-update|service|systemctl|systemd-run|update-rc\.d) "
"""What starts programs with variables of their own, so that nothing follows from those of the script."""
OTHER_RUNS: Final = r"fetched-file .*(check|config|enrol|env|help|install|regist|verify|version)"
"""How an agent is run that does not do its work yet, or is told where the variables stand."""


@dataclass(frozen=True)
class _Case:
    """A configuration, its number among the scripts that run, and where its user's script writes."""

    number: int
    cfg: BootstrapConfig
    folder: Path
    answer: Answer


class BootstrapContract(Contract):
    r"""A bootstrap script is valid, its checksum that of its bytes, and values in it stay values.

    Put every value in single quotes, and each single quote in it as '\''. Write no heredoc that content can close; hand
    a user's script over in base64 or quoted. Hash the bytes that you hand over.
    """

    @clause("CMP-BOOT-001")
    def test_gives_a_script(self, nomos_provider: InterfaceProvider) -> None:
        """For the least configuration, with a script of the user's, with an environment, with a feature."""
        cases: tuple[dict[str, Any], ...] = (
            {},
            {"init_script": "true\n"},
            {"environment": {"A": "b"}},
            {"features": tuple(BootstrapFeature(one, version="1", config={"a": "b"}) for one in HOST_FEATURES)},
        )
        for changes in cases:
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=bootstrap(**changes)))
            if answer.code != "OK" or not answer.value.content.strip():
                raise Violation(f"a script for a configuration with {shorten(changes)}", told(answer), answer)

    @clause("CMP-BOOT-002")
    def test_the_checksum_is_that_of_the_bytes(self, nomos_provider: InterfaceProvider) -> None:
        """SHA-256 of the UTF-8 bytes in lowercase hex; with letters of other scripts and line ends of all kinds."""
        cases: tuple[dict[str, Any], ...] = (
            {},
            {"environment": {"A": "ü ∞ \U0001f600"}},
            {"init_script": "echo 'Grüße'\r\n\n\n"},
            {"init_script": "true", "environment": {"B": "x" * 5000}},
            {"control_plane_url": "https://example.com/ü"},
        )
        for changes in cases:
            script = made(nomos_provider, bootstrap(**changes))
            wanted = hashlib.sha256(script.content.encode()).hexdigest()
            if script.checksum != wanted:
                raise Violation(f"checksum {wanted}", script.checksum or "none", *nomos_provider.answers[-1:])

    @clause("CMP-BOOT-003")
    def test_its_program_can_read_it(self, nomos_provider: InterfaceProvider) -> None:
        """A shell by `sh -n`, cloud-init by its schema, Ignition by its specification."""
        cases: tuple[dict[str, Any], ...] = (
            {},
            {"init_script": "if true; then\n  echo 'it is'\nfi\n"},
            {"environment": {f"V{number}": value for number, value in enumerate((*PLAIN_VALUES, *QUOTES))}},
            {"features": (BootstrapFeature(FeatureName.DOCKER),)},
        )
        for changes in cases:
            script = made(nomos_provider, bootstrap(**changes))
            try:
                parse(script)
            except ScriptError as error:
                answers = nomos_provider.answers[-1:]
                raise Violation(f"{script.format.value} that its program can read", str(error), *answers) from error

    @clause("CMP-BOOT-004")
    def test_equal_configurations_give_equal_scripts(self, nomos_provider: InterfaceProvider) -> None:
        """Asked again, and with the environment in another order."""
        names = {f"V{number}": str(number) for number in range(8)}
        turned = dict(reversed(list(names.items())))
        first = made(nomos_provider, bootstrap(environment=names, init_script="true\n"))
        for again in (names, turned, names):
            second = made(nomos_provider, bootstrap(environment=again, init_script="true\n"))
            if second != first:
                raise Violation("the same script again", "another one", *nomos_provider.answers[-2:])

    @clause("CMP-BOOT-005")
    def test_everything_that_is_configured_is_in_it(self, nomos_provider: InterfaceProvider) -> None:
        """Another agent, control plane, token, user's script, variable or value gives another script."""
        start = bootstrap(init_script="true\n", environment={"A": "b"})
        plain = made(nomos_provider, start)
        changes: tuple[dict[str, Any], ...] = (
            {"agent_url": "https://agent.example.com/other"},
            {"control_plane_url": "https://other.example.com"},
            {"registration_token": "another-token"},
            {"init_script": "false\n"},
            {"environment": {"A": "c"}},
            {"environment": {"A": "b", "C": "d"}},
            {"features": (BootstrapFeature(FeatureName.DOCKER),)},
        )
        for change in changes:
            script = made(nomos_provider, replace(start, **change))
            if script.content == plain.content:
                name = next(iter(change))
                raise Violation(f"a script that depends on {name}", "the same script", *nomos_provider.answers[-1:])

    @clause("CMP-BOOT-006")
    def test_variables_have_exactly_their_values(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """As the user's script and the agent see them when the script really runs; it runs once, after the download."""
        out = nomos_scratch / "arrive" / "out"
        cases: list[_Case] = []
        for kind, values in (("plain", PLAIN_VALUES), ("quotes", QUOTES), ("lines", LINES)):
            folder = out / kind
            folder.mkdir(parents=True)
            names = {f"NOMOS_V{number}": value for number, value in enumerate(values)}
            noted = f"printf x >> {folder}/runs\necho {RUNS} >> {out.parent}/calls\n"
            cfg = bootstrap(environment=names, agent_url=AGENT, init_script=noted + writer(folder, names))
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=cfg))
            if kind != "lines" or code_of(answer) not in REFUSALS:
                script_of(answer)
                cases.append(_Case(len(cases), cfg, folder, answer))
        done = run(out.parent, *(plan_of(one.answer.value) for one in cases), agent=AGENT)
        for one in cases:
            self._expect_values(one, done)
            self._expect_order(one, done)
            self._expect_agent(one, done)

    @staticmethod
    def _expect_values(one: _Case, done: Execution) -> None:
        if not (one.folder / "done").exists():
            expect_machine(done, one.cfg, one.folder.parent.parent)
            raise Violation("the user's script runs", f"exit {done.code}: {shorten(done.output)}", one.answer)
        for name, value in one.cfg.environment.items():
            seen = (one.folder / name).read_bytes()
            if seen != value.encode():
                raise Violation(f"a variable is {value!r} in the user's script", shorten(seen), one.answer)
        runs = (one.folder / "runs").read_text()
        if runs != "x":
            raise Violation("the user's script runs once", f"{len(runs)} times", one.answer)

    @staticmethod
    def _expect_order(one: _Case, done: Execution) -> None:
        """The agent is there when the user's script runs, where it was seen to be fetched."""
        calls = _calls_of(one, done)
        fetched = next((at for at, call in enumerate(calls) if AGENT in call), None)
        if fetched is not None and RUNS in calls[:fetched]:
            raise Violation("the user's script runs after the agent is there", "it runs before", one.answer)

    @staticmethod
    def _expect_agent(one: _Case, done: Execution) -> None:
        """The agent has the variables too, where it was seen to run, and by nothing else but the script."""
        wanted = {name: value.encode() for name, value in one.cfg.environment.items()}
        runs = [seen for number, seen in done.ran if number == one.number]
        others = any(re.match(STARTERS, call) or re.match(OTHER_RUNS, call) for call in _calls_of(one, done))
        if runs and not others and not any(wanted.items() <= seen.items() for seen in runs):
            name = next(name for name, value in wanted.items() if runs[-1].get(name) != value)
            got = shorten(runs[-1].get(name, b"not set"))
            raise Violation(f"a variable is {one.cfg.environment[name]!r} for the agent", got, one.answer)

    @clause("CMP-BOOT-007")
    def test_values_of_variables_never_run(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """Substitutions, quotes, separators, line ends, words that end heredocs: none makes its canary."""
        trial = Trial(nomos_provider, nomos_scratch / "values")
        delimiters = _read(nomos_provider, environment={"A": "b"})
        trial.try_groups(
            lambda texts: bootstrap(environment={f"NOMOS_V{number}": one for number, one in enumerate(texts)}),
            "values of variables",
            delimiters,
        )
        trial.expect_silence()

    @clause("CMP-BOOT-008")
    def test_addresses_and_token_never_run(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """Agent, control plane, registration token, and version and settings of a feature."""
        trial = Trial(nomos_provider, nomos_scratch / "addresses")
        delimiters = _read(nomos_provider)
        for part in ("agent_url", "control_plane_url", "registration_token", "feature"):
            # All at once in one text: each is tried in the quotes that the one before it may have left.
            trial.try_groups(partial(_joined, part), part, delimiters)
            for kind in ("$(touch {})", "'; touch {}; '", '"; touch {}; "'):
                trial.try_one(partial(_single, part, kind), part)
        trial.expect_silence()

    @clause("CMP-BOOT-009")
    def test_the_users_script_arrives_whole(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """Whatever its lines are: words that end heredocs, quotes, backslashes, no line end at its end."""
        plain = made(nomos_provider, bootstrap(init_script="true\n"))
        words = dict.fromkeys(
            (*delimiters_of(plain.content), "EOF", "END", "INIT", "SCRIPT", "HEREDOC", "INIT_SCRIPT_EOF")
        )
        inside = [*words, "'", '"', "`", "\\", "$x $(y) `z`", "'\\''", "%s\\n", "\ttab", "ü ∞", "", "#!/bin/sh", "EOF "]
        scratch = nomos_scratch / "script"
        out = scratch / "out"
        inert = "\n".join(line for word in inside for line in (word, f"touch {out}/canary-0"))
        end = "NOMOS-INERT-END"
        script = f"cat > {out}/inert <<'{end}'\n{inert}\n{end}\n: > {out}/done"
        plan_of(plain)
        whole = made(nomos_provider, bootstrap(init_script=script))
        try:
            done = run(scratch, parse(whole))
        except ScriptError as error:
            raise Violation("the user's script arrives whole", str(error), *nomos_provider.answers[-1:]) from error
        if (out / "canary-0").exists():
            raise Violation("the user's script arrives whole", "a line of its data ran", *nomos_provider.answers[-1:])
        if not (out / "done").exists() or (out / "inert").read_text(encoding="utf-8") != inert + "\n":
            expect_machine(done, bootstrap(init_script=script), scratch)
            got = f"exit {done.code}: {shorten(done.output)}"
            raise Violation("the user's script arrives whole and runs", got, *nomos_provider.answers[-1:])

    @clause("CMP-BOOT-010")
    def test_names_of_variables_never_run(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """What is no name is refused with INVALID_SPEC, or left out."""
        _read(nomos_provider, environment={"A": "b"})
        trial = Trial(nomos_provider, nomos_scratch / "names")
        for name in BAD_NAMES:
            trial.try_one(partial(_named, name), repr(name))
        trial.expect_silence()

    @clause("CMP-BOOT-011")
    def test_a_script_with_another_checksum_does_not_run(
        self, nomos_provider: InterfaceProvider, nomos_scratch: Path
    ) -> None:
        """Refused with INVALID_SPEC, or not run; with the right checksum it runs."""
        for number, right in enumerate((True, False)):
            scratch = nomos_scratch / f"checksum-{number}"
            script = f": > {scratch}/out/done\n"
            checksum = hashlib.sha256((script if right else script + " ").encode()).hexdigest()
            cfg = bootstrap(init_script=script, init_checksum=checksum)
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=cfg))
            if right:
                script_of(answer)
            elif not answer.ok:
                if code_of(answer) not in REFUSALS:
                    raise Violation("INVALID_SPEC for a wrong checksum", told(answer), answer)
                continue
            done = run(scratch, plan_of(answer.value))
            if (scratch / "out" / "done").exists() is not right:
                if right:
                    expect_machine(done, cfg, scratch)
                wanted = "the user's script runs" if right else "a script with another checksum does not run"
                raise Violation(wanted, "it does not" if right else "it does", answer)

    @clause("CMP-BOOT-012")
    def test_it_fits_into_user_data(self, nomos_provider: InterfaceProvider) -> None:
        """Under 16 KiB for a user's script of 4 KiB, the least that clouds take."""
        script = made(nomos_provider, bootstrap(init_script=": " + "x" * 4094))
        size = len(script.content.encode())
        if size > 16 * 1024:
            raise Violation("at most 16 KiB", f"{size} bytes", *nomos_provider.answers[-1:])


def _calls_of(one: _Case, done: Execution) -> list[str]:
    """Return the calls of the script of *one* alone."""
    start = done.calls.index(f"nomos-plan {one.number}")
    return list(itertools.takewhile(lambda call: not call.startswith("nomos-plan "), done.calls[start + 1 :]))


def _with(part: str, text: str) -> BootstrapConfig:
    if part == "feature":
        return bootstrap(features=(BootstrapFeature(FeatureName.DOCKER, version=text, config={"a": text}),))
    return bootstrap(**{part: text})


def _joined(part: str, texts: Sequence[str]) -> BootstrapConfig:
    return _with(part, "https://example.com/" + " ".join(texts))


def _single(part: str, kind: str, canary: str) -> BootstrapConfig:
    return _with(part, "https://example.com/" + kind.format(canary))


def _named(name: str, canary: str) -> BootstrapConfig:
    return bootstrap(environment={name.format(canary): "x"})


def _read(provider: InterfaceProvider, **changes: Any) -> tuple[str, ...]:
    """Return the words that end heredocs in a harmless script; one that cannot be read is another clause's matter."""
    plain = made(provider, bootstrap(**changes))
    plan_of(plain)
    return delimiters_of(plain.content)
