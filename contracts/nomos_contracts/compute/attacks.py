"""Hostile texts in bootstrap scripts, and the trial in which the scripts that hold them really run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nomos_contracts.compute.absence import absent
from nomos_contracts.compute.fleet import code_of, shaped, told
from nomos_contracts.compute.interface import BootstrapConfig, BootstrapScript, FeatureName
from nomos_contracts.compute.plans import Plan, ScriptError
from nomos_contracts.compute.sandbox import Execution, NoSandboxError, execute
from nomos_contracts.compute.scripts import parse
from nomos_contracts.compute.texts import plain_text
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.violation import Blocked, Violation

BOOT = "clause:CMP-BOOT-001"
PARSES = "clause:CMP-BOOT-003"
REFUSALS: Final = ("INVALID_SPEC", "UNSUPPORTED_OPERATION")
HOST_FEATURES: Final = (FeatureName.DOCKER,)
"""Features that need no flag."""

PLAIN_VALUES: Final = (
    "plain", "", " two  words ", "a=b", "ü ∞ \U0001f600", "*", "~", "-n", "100%", "a#b", "key: [value]", "{}",
    "tab\there", "e\u0301 \u212b", "a\u2028b\u2029c", "\ufeffd",
    "https://example.com/?a=1&b=2", "C:\\Temp\\new", "yes", "0123", "@", "a,b;c",
)  # fmt: skip
QUOTES: Final = (
    "a'b", 'a"b', "a`b", "a\\", "a\\'b", "'''", '"""', "$x ${x} $", "!x", "a\\nb", "'\"'\"'", "%s%d\\x41",
    "$$ $& $1 $' \\1",
)  # fmt: skip
LINES: Final = ("a\nb", "\n", "a\r\nb", "\nEOF\n", "a\n\n\nb\n", "a\x85b\x0cc\x0bd\x1ce", "\x1b[1mf\x1b[0m\r")
SIGNS: Final = (
    "$$ $& $1 $' $` $0", "\\1 \\g<0> \\n", "%(a)s %d {b} {{c}} <%= d %> @e@ ${f:-g} #{h} [[i]]",
    "e\u0301 \u212b \u2126", "a\u2028b\u2029c", "\ufeffd", "  blanks  ", "\ttabs\t", "a\\", "!! ^a^b !$",
    "&amp; <a> ]]> <!-- -->", "\U0001f600 \u200b\u202e",
    "---", "...", "- a: b", "", "", "key: |",
)  # fmt: skip
"""Lines of a user's script that are something else in templates, markup and languages; none has a control character."""
CONTROLS: Final = (
    "line\r", "\r", "a\rb", "\x1b[1mbold\x1b[0m",
    *(f"a{chr(number)}b" for number in (*range(2, 9), *range(11, 13), *range(14, 32), 0x85, 0x9b)),
)  # fmt: skip
"""Lines with control characters, without those that bash itself has uses for."""
BAD_NAMES: Final = (
    "a b", "a;touch {}", "a$(touch {})", "1a", "a-b", "a=b", "", "a\ntouch {}", "`touch {}`", "é",
    "A\n", "\nA", "A ", "A.b", "A+", "A[0]", "A\u0663", "\uff21", "A:b", "-n", "A\r",
)  # fmt: skip


def attacks(canary: str, delimiters: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield texts that make *canary* in one way each where a shell reads them."""
    touch = f"touch {canary}"
    yield from (f"$({touch})", f"`{touch}`", f"; {touch};", f"&& {touch}", f"| {touch}", f"\n{touch}\n", f"& {touch} &")
    yield from (
        f'"; {touch}; "',
        f"'; {touch}; '",
        f'"$({touch})"',
        f"'$({touch})'",
        f"\\'; {touch}; \\'",
        f"' > {canary} '",
    )
    yield from (
        f'\\"; {touch}; \\"',
        f'"\n{touch}\n"',
        f"'\n{touch}\n'",
        f"\r\n{touch}\r\n",
        f"#\n{touch}",
        f"\\\n{touch}",
    )
    yield from (f'}}"; {touch}; {{"', f"')); {touch}; (('", f"]]> ; {touch}", f"\"'`; {touch} #", f"${{x:-$({touch})}}")
    # What is left where a filter takes the beginning of a substitution out once.
    yield f"$$(({touch})"
    for name in (*delimiters, "EOF", "END", "HEREDOC", "SCRIPT", "INIT", "ENVEOF", "__EOF__"):
        yield f"\n{name}\n{touch}\n"


def made(provider: InterfaceProvider, cfg: BootstrapConfig) -> BootstrapScript:
    """Return the script of *cfg*.

    Raises:
        Blocked: there is none, which is another clause's matter.
    """
    return script_of(provider.invoke("generate_bootstrap", cfg=cfg))


def script_of(answer: Answer) -> BootstrapScript:
    """Return the script of *answer*.

    Raises:
        Blocked: there is none, which is another clause's matter.
    """
    if shaped(answer).code != "OK" or not answer.value.content:
        raise Blocked(BOOT, f"generate_bootstrap gives no script: {told(answer)}")
    script: BootstrapScript = answer.value
    return script


def plan_of(script: BootstrapScript) -> Plan:
    """Return what a script does.

    Raises:
        Blocked: it cannot be read, which is another clause's matter.
    """
    try:
        return parse(script)
    except ScriptError as error:
        raise Blocked(PARSES, str(error)) from error


def run(scratch: Path, *plans: Plan, agent: str = "") -> Execution:
    """Run scripts in *scratch*, which is made; *agent* is the address of the agent.

    Raises:
        Blocked: this machine cannot.
    """
    (scratch / "out").mkdir(parents=True, exist_ok=True)
    try:
        return execute(plans, scratch, allow=str(scratch.parent), agent=agent)
    except NoSandboxError as error:
        raise Blocked("environment", str(error)) from error


def expect_machine(done: Execution, cfg: BootstrapConfig, scratch: Path) -> None:
    """Pass if scripts ended as they would have on a machine.

    Raises:
        Blocked: they asked for what an instance has and the sandbox has not.
    """
    lacking = absent(done, cfg.environment.values(), cfg.init_script or "", str(scratch))
    if lacking:
        raise Blocked("environment", f"the script could not be run to its end in the sandbox: {lacking}")


def writer(out: Path, names: Mapping[str, str]) -> str:
    """Return a script that writes each variable to a file of the same name."""
    return "".join(f'printf "%s" "${{{name}-unset}}" > {out}/{name}\n' for name in names) + f": > {out}/done\n"


def delimiters_of(content: str) -> tuple[str, ...]:
    """Return the words that end a heredoc somewhere in *content*."""
    found = re.findall(r"<<-?\s*['\"\\]?([^\s'\";&|<>()]+)", plain_text(content))
    return tuple(dict.fromkeys(found))


@dataclass
class Trial:
    """Hostile texts and the scripts that hold them, all run in one sandbox.

    Attributes:
        provider: the provider under test.
        scratch: where the scripts run.
    """

    provider: InterfaceProvider
    scratch: Path
    _texts: list[str] = field(default_factory=list[str])
    _plans: list[tuple[Plan, Answer]] = field(default_factory=list[tuple[Plan, Answer]])

    def _canary(self) -> str:
        self._texts.append("")
        return f"{self.scratch}/out/canary-{len(self._texts) - 1}-"

    def try_one(self, make: Callable[[str], BootstrapConfig], what: str) -> bool:
        """Try one text, made of the path of its canary; it may be refused. Returns whether it was taken."""
        canary = self._canary()
        self._texts[-1] = what
        return self._take(make(canary), what)

    def try_groups(
        self, make: Callable[[Sequence[str]], BootstrapConfig], what: str, delimiters: tuple[str, ...]
    ) -> None:
        """Try all texts together; where line ends are refused, those without."""
        texts: list[str] = []
        for number, _ in enumerate(attacks("", delimiters)):
            texts.append(next(itertools.islice(attacks(self._canary(), delimiters), number, None)))
            self._texts[-1] = texts[-1]
        if not self._take(make(texts), what):
            self._take(make([one for one in texts if "\n" not in one and "\r" not in one]), what)

    def _take(self, cfg: BootstrapConfig, what: str) -> bool:
        answer = shaped(self.provider.invoke("generate_bootstrap", cfg=cfg))
        if answer.ok:
            try:
                self._plans.append((parse(answer.value), answer))
            except ScriptError as error:
                raise Violation(f"a script that hostile {what} do not break", str(error), answer) from error
        elif code_of(answer) not in REFUSALS:
            raise Violation(f"{what} are taken, or refused with INVALID_SPEC", told(answer), answer)
        return answer.ok

    def expect_silence(self) -> Execution | None:
        """Run all of them; returns how they ended.

        Raises:
            Violation: a text ran.
        """
        if not self._plans:
            return None
        done = run(self.scratch, *(plan for plan, _ in self._plans))
        canaries = sorted(one.name for one in (self.scratch / "out").glob("canary-[0-9]*-*"))
        if canaries:
            culprit = self._texts[int(canaries[0].split("-")[1])]
            shown = next(
                (answer for _, answer in self._plans if canaries[0] in repr(answer.request)), self._plans[0][1]
            )
            raise Violation(f"{culprit!r} stays what it is", "it ran", shown)
        return done
