"""The sandbox: bootstrap scripts run for real, in a scratch folder, with stand-ins for what would change the machine.

On Linux a script runs in mount and process namespaces of its own: what it writes to /etc, /opt and the like goes to
memory and is gone afterwards, the rest of the file system cannot be written, and no process outlives it. Where there
are no namespaces, only a script that names no such path is run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Final

from nomos_contracts.compute.machine import FAKE, RUNNERS, SYSTEM, furnish
from nomos_contracts.compute.plans import PLAIN_MODE, Plan

SECONDS: Final = 15.0
"""A script whose commands are all stand-ins takes far less."""

COVERED: Final = ("/etc", "/opt", "/var", "/usr/local", "/root", "/home", "/srv", "/run", "/tmp")  # noqa: S108 # hidden, not used


class NoSandboxError(RuntimeError):
    """The machine offers no way to run this script without harm."""


@dataclass(frozen=True)
class Execution:
    """How scripts ended.

    Attributes:
        code: the exit code, negative for a signal.
        output: the end of what they said.
        calls: the calls of stand-ins in order; before those of each script stands ``nomos-plan`` and its number.
        notes: what scripts asked for that a sandbox cannot give.
        ran: each run of what was fetched from the agent's address: the number of the script that fetched it, and the
            variables of the run.
    """

    code: int
    output: str
    calls: tuple[str, ...]
    notes: tuple[str, ...] = ()
    ran: tuple[tuple[int, Mapping[str, bytes]], ...] = ()


@cache
def namespaces() -> tuple[str, ...]:
    """Return the command that gives a process namespaces of its own, empty where there is none."""
    found = shutil.which("unshare")
    for flags in (
        ("-m", "-p", "-f", "-n"),
        ("-r", "-m", "-p", "-f", "-n"),
        ("-m", "-p", "-f"),
        ("-r", "-m", "-p", "-f"),
    ):
        command = (found or "unshare", *flags, "--kill-child")
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            probe = [*command, "sh", "-c", "mount -t tmpfs none /mnt"]
            if found and subprocess.run(probe, capture_output=True, timeout=SECONDS, check=False).returncode == 0:
                return command
    return ()


def writes_outside(plan: Plan) -> bool:
    """Whether a script names a path that a sandbox without namespaces could not protect."""
    if any(path != "/nomos-script" for path in plan.files):
        return True
    text = b"\n".join(line for data in plan.files.values() for line in data.splitlines()[1:]).decode(errors="replace")
    text += "\n".join(part for command in plan.commands for part in command[1:] if part != "/nomos-script")
    return bool(re.search(r"(?<![\w:/.])/(?!dev/null\b)[a-z]", text))


def execute(plans: Sequence[Plan], scratch: Path, *, allow: str = "", agent: str = "") -> Execution:
    """Run what scripts do, one after another, each in a folder of its own below *scratch*.

    Args:
        plans: the scripts; one that fails does not stop the next.
        scratch: a folder; what the scripts leave there can be read afterwards.
        allow: a path that may stand in a script although it is absolute: that of the scratch folder.
        agent: the address of the agent; what is fetched from there can be run, and is written where there is no file.

    Returns:
        How they ended: the code of the last one that failed, 0 where none did.

    Raises:
        NoSandboxError: they cannot be run without harm to the machine.
    """
    command = namespaces()
    for plan in plans:
        harmless = {path: data.replace(allow.encode(), b".") if allow else data for path, data in plan.files.items()}
        if not command and writes_outside(Plan(harmless, plan.commands)):
            raise NoSandboxError(
                "the script writes outside its folder, and this machine has no mount namespaces (`unshare`)"
            )
    driver = scratch / "driver.sh"
    tools = furnish(scratch, plans, agent=agent, isolated=bool(command))
    lines = _driver(plans, scratch, tools, isolated=bool(command))
    driver.write_text("\n".join(lines) + "\n", encoding="utf-8")
    limit = SECONDS + len(plans)
    with (scratch / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, "/bin/sh", str(driver)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = _read(scratch / "output") + _read(scratch / "logged")
    calls = tuple(_read(scratch / "calls").splitlines())
    if plans and not calls:
        raise NoSandboxError(f"its mount namespaces cannot be furnished: {said[-300:].strip() or f'exit {code}'}")
    if code == -signal.SIGKILL:
        with (scratch / "notes").open("a", encoding="utf-8") as notes:
            notes.write(f"the script did not end within {limit:g} s\n")
    return Execution(
        code,
        said[-4000:],
        calls,
        tuple(dict.fromkeys(_read(scratch / "notes").splitlines())),
        tuple(_runs(scratch / "fetched", agent)),
    )


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.exists() else ""


def _runs(folder: Path, agent: str) -> Iterator[tuple[int, Mapping[str, bytes]]]:
    """Yield the variables of each run of what was fetched from the agent's address."""
    for one in sorted(folder.glob("*.ran-*")):
        fetched = folder / one.name.partition(".")[0]
        if agent and _read(fetched) == agent:
            pairs = (pair.partition(b"=") for pair in one.read_bytes().split(b"\0") if pair)
            number = int(_read(fetched.with_suffix(".plan")) or 0)
            yield number, {name.decode(errors="replace"): value for name, _, value in pairs}


def _driver(plans: Sequence[Plan], scratch: Path, tools: Path, *, isolated: bool) -> Iterator[str]:
    here = quote(str(scratch))
    yield "set -e"
    if isolated:
        yield from _isolation(scratch)
    home = "/root" if isolated else str(scratch / "home")
    temporary = "/tmp" if isolated else str(scratch / "tmp")  # noqa: S108 # in memory, in the namespace
    yield f"mkdir -p {quote(home)} {quote(temporary)}"
    path = f"{tools}:{SYSTEM}" if isolated else str(tools)
    yield f"export PATH={quote(path)} HOME={quote(home)} TMPDIR={quote(temporary)} LANG=C.UTF-8"
    yield "code=0"
    for number, plan in enumerate(plans):
        part = scratch / "parts" / str(number)
        part.mkdir(parents=True)
        yield f"echo {number} > {here}/plan; echo nomos-plan {number} >> {here}/calls"
        yield f"( cd {quote(str(part))}; set -e"
        yield from _steps(plan, part)
        yield ") || code=$?"
    if isolated:
        # What a script says through `tee` or `logger` arrives a little later.
        yield f"[ $code = 0 ] || {here}/pause 0.2 2>/dev/null || :"
        yield f"cat /var/log/*.log /var/log/*/*.log /tmp/*.log 2>/dev/null | tail -c 4000 >> {here}/logged || :"
    yield "exit $code"


def _isolation(scratch: Path) -> Iterator[str]:
    """Cover what scripts write to with memory, and lay the files of a machine there and stand-ins over its programs."""
    here = quote(str(scratch))
    yield f"mkdir -p {here}/dev && mount -t tmpfs none {here}/dev && mkdir {here}/dev/shm {here}/dev/pts"  # noqa: S108
    yield "for one in null zero full random urandom; do"
    yield f": > {here}/dev/$one; [ ! -e /dev/$one ] || mount --bind /dev/$one {here}/dev/$one; done"
    yield f"for one in console tty kmsg ttyS0 log; do : > {here}/dev/$one; mount --bind /dev/null {here}/dev/$one; done"
    yield f"ln -s /proc/self/fd {here}/dev/fd; ln -s fd/0 {here}/dev/stdin"
    yield f"ln -s fd/1 {here}/dev/stdout; ln -s fd/2 {here}/dev/stderr"
    yield f"mount --bind {here} /mnt && mount --rbind {here}/dev /dev && umount -l {here}/dev"
    for folder in COVERED:
        yield f"[ ! -d {folder} ] || mount -t tmpfs none {folder}"
    yield f"mkdir -p {here} && mount --bind /mnt {here} && mkdir -p /tmp"
    yield f": > {here}/pause; mount --bind /usr/bin/sleep {here}/pause 2>/dev/null || :"
    yield "mount -o remount,bind,ro / || exit 97"
    yield f"cp -R {here}/machine/. / 2>/dev/null || :"
    yield f"cp -P {here}/bin/* /usr/local/sbin/ 2>/dev/null || :"
    names = " ".join(sorted({*FAKE, *RUNNERS} - {"mount"}))
    # One overlay for each folder; where the system has none, each program that is there is covered.
    for folder in ("/usr/sbin", "/usr/bin"):
        yield f"mount -t overlay none -o lowerdir={here}/laid:{folder} {folder} 2>/dev/null ||"
        yield f"for name in {names} mount; do"
        yield f"[ ! -f {folder}/$name ] || [ -L {folder}/$name ] || mount --bind {here}/bin/$name {folder}/$name; done"
    yield f"cd {here}"


def _steps(plan: Plan, folder: Path) -> Iterator[str]:
    places: dict[str, str] = {}
    for number, (path, data) in enumerate(plan.files.items()):
        part = folder / f"file-{number}"
        part.write_bytes(data)
        if path == "/nomos-script":
            places[path] = str(part)
            continue
        yield f"mkdir -p -- {quote(str(Path(path).parent))} && cp {quote(str(part))} {quote(path)}"
        yield f"chmod {plan.modes.get(path, PLAIN_MODE):04o} {quote(path)}"
    # One that fails does not keep cloud-init or systemd from the next.
    yield "failed=0"
    for one in plan.commands:
        yield " ".join(quote(places.get(part, part)) for part in one) + " || failed=$?"
    yield "exit $failed"
