"""Bootstrap scripts as a shell reads them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import Final

from nomos_contracts.compute.plans import Plan, ScriptError, utf8
from nomos_contracts.violation import Blocked

PARSE_SECONDS: Final = 10.0
SHELLS: Final = frozenset({"ash", "bash", "dash", "ksh", "mksh", "sh", "zsh"})


def interpreter_of(content: str) -> tuple[str, ...]:
    """Return the program, with its arguments, that the first line of a script names.

    Raises:
        ScriptError: it names none.
    """
    head = content.split("\n", 1)[0]
    words = head[2:].split() if head.startswith("#!") else []
    if words and words[0].rsplit("/", 1)[-1] == "env":
        words = [one for one in words[1:] if one != "-S" and "=" not in one]
    if not words:
        raise ScriptError("a shell script begins with #! and its interpreter")
    return (words[0].rsplit("/", 1)[-1], *words[1:])


def _shell_of(words: Sequence[str]) -> tuple[tuple[str, ...], Sequence[str]]:
    """Return the shell that a first line names, as this machine has it, and its options.

    Raises:
        Blocked: this machine has none of the name.
    """
    name, rest = (words[1], words[2:]) if words[0] == "busybox" and len(words) > 1 else (words[0], words[1:])
    ways = {"ash": (("ash",), ("busybox", "ash"), ("dash",)), "sh": (("sh",),)}
    if name not in SHELLS:
        raise Blocked("environment", f"the script is one for {name}, which is no shell that the contract can read")
    for way in ways.get(name, ((name,),)):
        if shutil.which(way[0]):
            return way, rest
    raise Blocked("environment", f"the script is one for {name}: install {name} on this machine")


@cache
def syntax_error(content: str, shell: tuple[str, ...] = ("sh",)) -> str:
    """Return what a shell says about the syntax of *content*; empty where it is right.

    Raises:
        ScriptError: *content* is no text.
        Blocked: the shell takes too long.
    """
    given = utf8(content, "the script")
    try:
        done = subprocess.run([*shell, "-n"], input=given, capture_output=True, timeout=PARSE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Blocked("environment", f"`{' '.join(shell)} -n` takes more than {PARSE_SECONDS:g} s") from error
    return done.stderr.decode(errors="replace").strip() or "it is wrong" if done.returncode else ""


def check_shell(content: str, shell: tuple[str, ...] = ("sh",)) -> None:
    """Pass if a shell can read *content*.

    Raises:
        ScriptError: it cannot.
    """
    wrong = "it holds a NUL character" if "\0" in content else syntax_error(content, shell)
    if wrong:
        raise ScriptError(f"`{' '.join(shell)} -n` refuses it: {wrong[:300]}")


def read_shell(content: str) -> Plan:
    """Return what the shell does that the first line of *content* names.

    Raises:
        ScriptError: it refuses the script.
        Blocked: this machine does not have it.
    """
    shell, options = _shell_of(interpreter_of(content))
    check_shell(content, shell)
    return Plan(files={"/nomos-script": content.encode()}, commands=((*shell, *options, "/nomos-script"),))
