"""Diagnosis: what a failed start looked like and what most likely caused it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

from nomos_contracts.provider import Exit, StartError, StartFailure
from pytest_nomos.host.announcement import quote
from pytest_nomos.host.process import ProviderProcess

STDERR_LINES: Final = 20
STDOUT_BYTES: Final = 4096

_STDERR_CAUSES: Final = (
    (rb"address already in use", "it binds a fixed port or socket that is taken; let it bind port 0"),
    (rb"ModuleNotFoundError|No module named", "a Python module is not installed for the interpreter that runs it"),
    (rb"error while loading shared libraries", "a shared library that it is linked to is not installed"),
    (rb"GLIBC_[\d.]+'? not found", "it was built for a newer C library than this system's; link it statically"),
    (rb"env: .*No such file", "the interpreter named in its first line is not on PATH"),
    (
        rb"(?i)unknown (flag|option)|unrecognized argument|flag provided but not defined",
        "it does not know one of its arguments",
    ),
    (rb"(?i)permission denied", "it was refused access to a file or a port"),
    (rb"(?i)no such file or directory", "a file that it needs does not exist; its working folder is an empty one"),
    (rb"(?i)environment variable|os\.environ|KeyError", "it needs an environment variable; declare it under [env]"),
    (rb"panic:|goroutine \d+|Traceback \(most recent", "it crashed; stderr shows where"),
)
_SIGNAL_CAUSES: Final = {
    "SIGKILL": "something killed it; often the system, when memory ran out",
    "SIGSEGV": "it crashed on invalid memory",
    "SIGABRT": "it aborted itself",
    "SIGILL": "it uses instructions that this processor lacks",
    "SIGSYS": "a sandbox forbids a system call that it makes",
}
_CODE_CAUSES: Final = {
    0: "it ended as if its work was done: a provider stays, in the foreground, until it is told to end",
    2: "it does not accept its arguments, or needs some",
    126: "something that it runs is not executable",
    127: "something that it runs does not exist, such as the interpreter in its first line",
}
_PHRASES: Final = {
    StartFailure.NOT_FOUND: "failed to start provider",
    StartFailure.NOT_EXECUTABLE: "failed to start provider",
    StartFailure.SPAWN: "failed to start provider",
    StartFailure.EXITED: "provider did not output port",
    StartFailure.CLOSED: "provider did not output port",
    StartFailure.SILENT: "timeout waiting for provider port",
    StartFailure.UNTERMINATED: "timeout waiting for provider port",
    StartFailure.MALFORMED: "invalid port format",
    StartFailure.PORT_RANGE: "invalid port",
    StartFailure.NOT_LISTENING: "failed to connect to provider",
    StartFailure.NOT_GRPC: "failed to connect to provider",
    StartFailure.MUTE: "failed to connect to provider",
    StartFailure.DIED: "failed to connect to provider",
    StartFailure.CANCELLED: "the start was cancelled",
}


class StartFailed(Exception):  # noqa: N818 # carries an outcome
    """A start that failed.

    Attributes:
        error: why.
    """

    def __init__(self, error: StartError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class Finding:
    """What is known of a failure before the process is looked at.

    Attributes:
        failure: which of the ways.
        seen: what was seen, a clause without its full stop.
        cause: the likely cause, empty where only the process can tell.
    """

    failure: StartFailure
    seen: str
    cause: str = ""


def likely_cause(end: Exit | None, stderr: bytes) -> str:
    """Return what most likely ended a process, empty where nothing points to a cause."""
    for pattern, cause in _STDERR_CAUSES:
        if re.search(pattern, stderr):
            return cause
    if end is None:
        return ""
    if end.signal:
        return _SIGNAL_CAUSES.get(end.signal, "")
    return _CODE_CAUSES.get(end.code or 0, "")


def compose(
    finding: Finding,
    *,
    end: Exit | None = None,
    stdout: bytes = b"",
    stdout_total: int = 0,
    stderr: bytes = b"",
    elapsed: float = 0.0,
) -> StartError:
    """Return the error of a start: phrase, what was seen, what is on stdout and stderr, likely cause."""
    sentences = [f"{_PHRASES[finding.failure]}: {finding.seen}."]
    if finding.failure in (StartFailure.EXITED, StartFailure.DIED) and end is not None:
        sentences[0] = f"{_PHRASES[finding.failure]}: {finding.seen}; it {end.words}."
    if finding.failure not in (StartFailure.MALFORMED, StartFailure.PORT_RANGE) and stdout:
        sentences.append(f"On stdout ({max(stdout_total, len(stdout))} bytes): {quote(stdout)}.")
    if stderr:
        last = stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        if last:
            sentences.append(f"Last line of stderr: {last[-1][:300]}")
            if not sentences[-1].endswith((".", "!", "?")):
                sentences[-1] += "."
    cause = finding.cause or likely_cause(end, stderr)
    if cause:
        sentences.append(f"Likely cause: {cause}.")
    return StartError(
        failure=finding.failure,
        message=" ".join(sentences),
        exit_code=None if end is None else end.code,
        signal=None if end is None else end.signal,
        stdout=stdout[:STDOUT_BYTES],
        stderr=stderr,
        elapsed=elapsed,
    )


def diagnose(finding: Finding, process: ProviderProcess, end: Exit | None, began: float) -> StartError:
    """Return the error of a start that failed after *process* was forked.

    Args:
        finding: what is known.
        process: what was started; its streams are read.
        end: how it ended by itself; None where it still ran when the start was given up.
        began: when the start began, on the monotonic clock.
    """
    return compose(
        finding,
        end=end,
        stdout=process.stdout.kept[:STDOUT_BYTES],
        stdout_total=process.stdout.total,
        stderr=process.stderr.last_lines(STDERR_LINES),
        elapsed=time.monotonic() - began,
    )
