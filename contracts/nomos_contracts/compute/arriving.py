"""Bootstrap: what is configured arrives exactly when the script really runs, and what must not arrive does not."""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.attacks import (
    BAD_NAMES,
    CONTROLS,
    LINES,
    PLAIN_VALUES,
    QUOTES,
    REFUSALS,
    SIGNS,
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
from nomos_contracts.compute.interface import BootstrapConfig
from nomos_contracts.compute.plans import Plan, ScriptError
from nomos_contracts.compute.sandbox import Execution
from nomos_contracts.compute.scripts import parse
from nomos_contracts.compute.texts import plain_text
from nomos_contracts.contract import Contract
from nomos_contracts.inherited import INHERITED
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.violation import Violation, shorten

AGENT: Final = "https://agent.example.com/nomos-agent"
RUNS: Final = "nomos-user-script"
END: Final = "NOMOS-INERT-END"

STARTERS: Final = r"(at|crontab|docker|initctl|podman|rc-service|rc-update|service|systemctl|systemd-run|update-rc\.d) "
"""What starts programs with variables of their own, so that nothing follows from those of the script."""
OTHER_RUNS: Final = r"fetched-file .*(check|config|enrol|env|help|install|regist|verify|version)"
"""How an agent is run that does not do its work yet, or is told where the variables stand."""

NAMES: Final = (*INHERITED, "a", "A", "_x", "length", "N" * 100)
"""Names of variables that are something else in a language, or differ in little."""
RESERVED: Final = {"UID": "4711", "EUID": "4712"}
"""Variables that bash lets nobody set: whoever exports them there ends the script."""
SHARED: Final = frozenset("PATH HOME IFS LANG LANGUAGE LC_ALL TERM SHELL USER LOGNAME TMPDIR PWD PS4 TZ".split())  # noqa: SIM905
"""Variables that a script sets for the programs that it runs."""
LONG: Final = (70 * 1024, 200 * 1024)
"""More than fits into a buffer of 64 KiB, and more than the 128 KiB that Linux takes as one argument or variable."""


@dataclass(frozen=True)
class _Case:
    """A configuration, its number among the scripts that run, and where its user's script writes."""

    number: int
    cfg: BootstrapConfig
    folder: Path
    answer: Answer
    exact: bool = True


@dataclass
class _Cases:
    """Configurations whose scripts run in one sandbox."""

    provider: InterfaceProvider
    out: Path
    taken: list[_Case] = field(default_factory=list[_Case])

    def add(
        self, kind: str, names: Mapping[str, str], *, refusable: bool = False, exact: bool = True, end: str = ""
    ) -> None:
        """Ask for the script of *names*, which may be refused where it is *refusable*."""
        folder = self.out / kind
        folder.mkdir(parents=True)
        noted = f"printf x >> {folder}/runs\necho {RUNS} >> {self.out.parent}/calls\n"
        cfg = bootstrap(environment=names, agent_url=AGENT, init_script=noted + writer(folder, names) + end)
        answer = shaped(self.provider.invoke("generate_bootstrap", cfg=cfg))
        if not refusable or code_of(answer) not in REFUSALS:
            script_of(answer)
            self.taken.append(_Case(len(self.taken), cfg, folder, answer, exact))


class ArrivalContract(Contract):
    r"""Variables and the user's script arrive exactly, and nothing else does.

    Give variables to the two commands that want them, `env 'A=b' /bin/sh ./init.sh`, and not to your own. Write the
    user's script byte by byte, from base64 or from single quotes, and run it from its file.
    """

    @clause("CMP-BOOT-006")
    def test_variables_have_exactly_their_values(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """As the user's script and the agent see them when the script really runs; it runs once, after the download."""
        cases = _Cases(nomos_provider, nomos_scratch / "arrive" / "out")
        for kind, values in (("plain", PLAIN_VALUES), ("quotes", QUOTES), ("lines", LINES)):
            cases.add(kind, {f"NOMOS_V{at}": value for at, value in enumerate(values)}, refusable=kind == "lines")
        cases.add("names", {name: f"of {name}" for name in NAMES})
        cases.add("long", {"NOMOS_LONG": "0123456789 " * 300}, refusable=True)
        cases.add("reserved", RESERVED, refusable=True, exact=False)
        own = _assigned(cases.taken[0].answer.value.content, cases.taken[0].cfg)
        cases.add("own", {name: f"of {name}" for name in own}, refusable=True)
        cases.add("failing", {"NOMOS_V": "x"}, end="exit 3\n")
        scratch = cases.out.parent
        done = run(scratch, *(plan_of(one.answer.value) for one in cases.taken), agent=AGENT)
        for one in cases.taken:
            self._expect_values(one, done)
            self._expect_order(one, done)
            self._expect_agent(one, done)

    @staticmethod
    def _expect_values(one: _Case, done: Execution) -> None:
        if not (one.folder / "done").exists():
            expect_machine(done, one.cfg, one.folder.parent.parent)
            raise Violation("the user's script runs", f"exit {done.code}: {shorten(done.output)}", one.answer)
        for name, value in one.cfg.environment.items():
            seen = _content(one.folder / name)
            if one.exact and seen != value.encode():
                raise Violation(f"{name} is {shorten(value)} in the user's script", shorten(seen), one.answer)
        runs = _content(one.folder / "runs")
        if runs != b"x":
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
        wanted = {name: value.encode() for name, value in one.cfg.environment.items() if one.exact}
        runs = [seen for number, seen in done.ran if number == one.number]
        others = any(re.match(STARTERS, call) or re.match(OTHER_RUNS, call) for call in _calls_of(one, done))
        if runs and not others and not any(wanted.items() <= seen.items() for seen in runs):
            name = next(name for name, value in wanted.items() if runs[-1].get(name) != value)
            got = shorten(runs[-1].get(name, b"not set"))
            raise Violation(f"{name} is {shorten(one.cfg.environment[name])} for the agent", got, one.answer)

    @clause("CMP-BOOT-009")
    def test_the_users_script_arrives_whole(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """Whatever its lines are: words that end heredocs, quotes, signs of all kinds, no line end or many at its end.

        Control characters and scripts of 70 and 200 KiB may be refused, and are not changed or cut.
        """
        plain = made(nomos_provider, bootstrap(init_script="true\n"))
        plan_of(plain)
        scratch = nomos_scratch / "script"
        words = (*delimiters_of(plain.content), "EOF", "END", "INIT", "SCRIPT", "HEREDOC", "INIT_SCRIPT_EOF")
        inside = [*dict.fromkeys(words), "'", '"', "`", "\\", "$x $(y) `z`", "'\\''", "%s\\n", "\ttab", "ü ∞", ""]
        inside += ["#!/bin/sh", "EOF "]
        lines = [line for word in inside for line in (word, f"touch {scratch}/out/canary-0")]
        long = ("0123456789abcde\n" * (size // 16) for size in LONG)
        cases = (
            _Arrival(scratch / "out" / "words", "\n".join(lines), ""),
            _Arrival(scratch / "out" / "signs", "\n".join(SIGNS), "\n\n \t\n\n\n"),
            _Arrival(scratch / "out" / "controls", "\n".join(CONTROLS), "\n#\r\n", refusable=True),
            *(_Arrival(scratch / "out" / f"long-{len(one)}", one, "\n", refusable=True) for one in long),
        )
        plans: list[Plan] = []
        taken: list[tuple[_Arrival, Answer]] = []
        for one in cases:
            one.folder.mkdir(parents=True)
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=bootstrap(init_script=one.script)))
            if not one.refusable or answer.ok:
                try:
                    plans.append(parse(script_of(answer)))
                except ScriptError as error:
                    raise Violation("the user's script arrives whole", str(error), answer) from error
                taken.append((one, answer))
        done = run(scratch, *plans)
        if (scratch / "out" / "canary-0").exists():
            raise Violation("the user's script arrives whole", "a line of its data ran", taken[0][1])
        for one, answer in taken:
            self._expect_whole(one, answer, done, scratch)

    @staticmethod
    def _expect_whole(one: _Arrival, answer: Answer, done: Execution, scratch: Path) -> None:
        wanted, seen = f"{one.inert}\n".encode(), _content(one.folder / "inert")
        if not (one.folder / "done").exists() or not seen:
            expect_machine(done, bootstrap(init_script=one.script), scratch)
            got = f"exit {done.code}: {shorten(done.output)}"
            raise Violation("the user's script arrives whole and runs", got, answer)
        if seen != wanted:
            raise Violation("the user's script arrives whole", _difference(wanted, seen), answer)
        # What comes after it in its file is the provider's.
        whole, own = one.script.encode(), _content(one.folder / "self")
        if own.startswith(one.head.encode()) and not own.startswith(whole):
            raise Violation("the file of the user's script holds it whole", _difference(whole, own), answer)

    @clause("CMP-BOOT-010")
    def test_names_of_variables_never_run(self, nomos_provider: InterfaceProvider, nomos_scratch: Path) -> None:
        """What is no name is refused with INVALID_SPEC, or left out, and then the user's script runs without it."""
        plan_of(made(nomos_provider, bootstrap(environment={"A": "b"})))
        trial = Trial(nomos_provider, nomos_scratch / "names")
        taken: list[tuple[str, Path, BootstrapConfig, Answer]] = []
        for number, name in enumerate(BAD_NAMES):
            seen = trial.scratch / "out" / f"seen-{number}"
            if trial.try_one(partial(_named, name, seen), repr(name)):
                taken.append((name, seen, _named(name, seen, ""), nomos_provider.answers[-1]))
        done = trial.expect_silence()
        for name, seen, cfg, answer in taken:
            entries = _content(seen).split(b"\0")
            if done and not seen.exists():
                expect_machine(done, cfg, trial.scratch)
                got = f"the user's script does not run: {shorten(done.output)}"
                raise Violation(f"{name!r} is refused or left out", got, answer)
            if f"{name}={_value(seen)}".encode() in entries:
                raise Violation(f"{name!r} is refused or left out", "it is a variable of the user's script", answer)

    @clause("CMP-BOOT-011")
    def test_a_script_with_another_checksum_does_not_run(
        self, nomos_provider: InterfaceProvider, nomos_scratch: Path
    ) -> None:
        """Refused with INVALID_SPEC, or not run; with the right checksum it runs."""
        scratch = nomos_scratch / "checksum"
        plans: list[Plan] = []
        taken: list[tuple[str, BootstrapConfig, Path, Answer]] = []
        kinds = list(_checksums(""))
        for kind in kinds:
            ran = scratch / "out" / str(len(taken))
            script = f"# e\u0301\r\n: > {ran}\n\n"
            cfg = bootstrap(init_script=script, init_checksum=_checksums(script)[kind])
            answer = shaped(nomos_provider.invoke("generate_bootstrap", cfg=cfg))
            if kind != "right" and not answer.ok:
                if code_of(answer) not in REFUSALS:
                    raise Violation("INVALID_SPEC for a wrong checksum", told(answer), answer)
                continue
            plans.append(plan_of(script_of(answer)))
            taken.append((kind, cfg, ran, answer))
        done = run(scratch, *plans)
        for kind, cfg, ran, answer in taken:
            if kind == "right" and not ran.exists():
                expect_machine(done, cfg, scratch)
                raise Violation("the user's script runs", "it does not", answer)
            if kind != "right" and ran.exists():
                raise Violation(f"a script with another checksum ({kind}) does not run", "it does", answer)


@dataclass(frozen=True)
class _Arrival:
    """A user's script that writes *inert* from its own text into a folder, and shows its file where it is one."""

    folder: Path
    inert: str
    end: str
    refusable: bool = False

    @property
    def head(self) -> str:
        return f"#!/bin/sh\n: {self.folder}\n"

    @property
    def script(self) -> str:
        shown = f'[ ! -f "$0" ] || cat < "$0" > {self.folder}/self || :\n'
        written = f"cat > {self.folder}/inert <<'{END}'\n{self.inert}\n{END}\n"
        return f"{self.head}{shown}{written}: > {self.folder}/done{self.end}"


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _difference(wanted: bytes, got: bytes) -> str:
    at = next((at for at, (one, other) in enumerate(zip(wanted, got, strict=False)) if one != other), len(got))
    return f"{shorten(got[at : at + 20])} instead of {shorten(wanted[at : at + 20])} at byte {at}"


def _calls_of(one: _Case, done: Execution) -> list[str]:
    """Return the calls of the script of *one* alone."""
    calls = itertools.dropwhile(lambda call: call != f"nomos-plan {one.number}", done.calls)
    return list(itertools.takewhile(lambda call: not call.startswith("nomos-plan "), itertools.islice(calls, 1, None)))


def _assigned(content: str, cfg: BootstrapConfig) -> list[str]:
    """Return the variables that a script has for itself alone."""
    text = plain_text(content)
    found = dict.fromkeys(re.findall(r"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=(?:\"?\$\(|['\"/\w]*$)", text))
    exported = set(re.findall(r"\b(?:export|readonly|declare|typeset|env)[ \t]+(?:-\w+[ \t]+)*(\w+)", text))
    taken = SHARED | exported | set(cfg.environment)
    return [one for one in found if one not in taken and not one.startswith(("NOMOS", "LC_", "DEBIAN_", "BASH"))][:8]


def _value(seen: Path) -> str:
    return f"nomos-left-out-{seen.name}"


def _named(name: str, seen: Path, canary: str) -> BootstrapConfig:
    """A shell drops what is no name; what it was given stands in /proc."""
    noted = f"{{ cat < /proc/self/environ || env; }} > {seen} 2>/dev/null\n"
    return bootstrap(environment={name.format(canary): _value(seen)}, init_script=noted)


def _checksums(script: str) -> dict[str, str]:
    """Return checksums by what they are; only the right one is that of *script*."""

    def of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    right = of(script)
    return {
        "right": right,
        "of another script": of(script + " "),
        "empty": "",
        "of an empty script": of(""),
        "its beginning": right[:8],
        "all but its last digit": right[:63],
        "one digit more": right + "0",
        "of the script without blanks at its ends": of(script.strip()),
        "of the script with other line ends": of(script.replace("\r\n", "\n")),
        "of the script in other letters": of(unicodedata.normalize("NFC", script)),
        "a pattern": "*",
        "a pattern of its length": "?" * 64,
    }
