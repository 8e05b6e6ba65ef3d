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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Final

from nomos_contracts.compute.scripts import Plan

SECONDS: Final = 15.0
"""A script whose commands are all stand-ins takes far less."""

REAL: Final = """
    awk base64 basename cat chmod cp cut date dirname echo env expr false find grep head id install ln
    ls mkdir mktemp mv od printf pwd readlink realpath rm rmdir sed seq sh sha256sum sort tail tee test
    touch tr true uname uniq wc xargs bash
""".split()  # noqa: SIM905 # words, not code
"""Commands that work on files alone; they are the machine's own."""

FAKE: Final = """
    add-apt-repository apk apt apt-get apt-key chown chpasswd curl dnf docker dockerd dpkg fdisk getent
    gpg groupadd halt hostname hostnamectl ifconfig ip iptables journalctl lsblk mkfs modprobe mount
    nvidia-smi passwd poweroff reboot rpm runuser service shutdown sleep snap ss su sudo swapoff sysctl
    systemctl systemd-run tailscale tailscaled tar timedatectl timeout ufw umount unzip
    update-ca-certificates update-rc.d useradd usermod wget yum zypper nohup setsid
""".split()  # noqa: SIM905 # words, not code
"""Commands that would change the machine or ask others: they note how they were called and succeed."""

COVERED: Final = ("/etc", "/opt", "/var", "/usr/local", "/root", "/home", "/srv", "/run", "/tmp")  # noqa: S108 # hidden, not used

_STAND_IN: Final = """#!/bin/sh
name="${0##*/}"
printf '%s\\n' "$name $*" >> "$NOMOS_CALLS"
target=""
while [ $# -gt 0 ]; do
  case "$1" in
    -o|-O|--output|--output-document) target="${2:-}"; [ $# -gt 1 ] && shift ;;
    --output=*|--output-document=*) target="${1#*=}" ;;
  esac
  shift
done
case "$name" in
  curl|wget) if [ -n "$target" ] && [ "$target" != "-" ]; then printf '#!/bin/sh\\nexit 0\\n' > "$target"; fi ;;
esac
exit 0
"""

_RUNNER: Final = """#!/bin/sh
name="${0##*/}"
case "$name" in timeout|runuser) shift ;; esac
while [ $# -gt 0 ]; do case "$1" in -*|*=*) shift ;; *) break ;; esac; done
exec "$@"
"""
"""For commands whose meaning is to run another one."""


class NoSandboxError(RuntimeError):
    """The machine offers no way to run this script without harm."""


@dataclass(frozen=True)
class Execution:
    """How a script ended: exit code (negative for a signal), the end of its output, and the calls of stand-ins."""

    code: int
    output: str
    calls: tuple[str, ...]


@cache
def namespaces() -> tuple[str, ...]:
    """Return the command that gives a process namespaces of its own, empty where there is none."""
    found = shutil.which("unshare")
    for flags in (("-m", "-p", "-f"), ("-r", "-m", "-p", "-f")):
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
    return bool(re.search(r"(?<![\w:/.])/(?!dev/null\b)[a-z]", text))


def execute(plans: Sequence[Plan], scratch: Path, *, allow: str = "") -> Execution:
    """Run what scripts do, one after another, each in a folder of its own below *scratch*.

    Args:
        plans: the scripts; one that fails does not stop the next.
        scratch: a folder; what the scripts leave there can be read afterwards.
        allow: a path that may stand in a script although it is absolute: that of the scratch folder.

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
    lines = _driver(plans, scratch, _tools(scratch), isolated=bool(command))
    driver.write_text("\n".join(lines) + "\n", encoding="utf-8")
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
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    calls = scratch / "calls"
    return Execution(
        code,
        (scratch / "output").read_bytes()[-2000:].decode(errors="replace"),
        tuple(calls.read_text(encoding="utf-8", errors="replace").splitlines()) if calls.exists() else (),
    )


def _tools(scratch: Path) -> Path:
    folder = scratch / "bin"
    folder.mkdir()
    for name in REAL:
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    for text, names in ((_STAND_IN, FAKE), (_RUNNER, ("sudo", "nohup", "setsid", "timeout"))):
        body = scratch / f"stand-in-{len(names)}"
        body.write_text(text, encoding="utf-8")
        body.chmod(0o755)
        for name in names:
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(body)
    return folder


def _driver(plans: Sequence[Plan], scratch: Path, tools: Path, *, isolated: bool) -> Iterator[str]:
    here = quote(str(scratch))
    yield "set -e"
    if isolated:
        yield f"mount --bind {here} /mnt"
        for folder in COVERED:
            yield f"[ ! -d {folder} ] || mount -t tmpfs none {folder}"
        yield f"mkdir -p {here} && mount --bind /mnt {here} && mkdir -p /tmp"
        yield "mount -o remount,bind,ro / || exit 97"
        yield f"cd {here}"
    home = "/root" if isolated else str(scratch / "home")
    temporary = "/tmp" if isolated else str(scratch / "tmp")  # noqa: S108 # in memory, in the namespace
    yield f"mkdir -p {quote(home)} {quote(temporary)}"
    yield f"export PATH={quote(str(tools))} HOME={quote(home)} TMPDIR={quote(temporary)} LANG=C.UTF-8"
    yield f"export NOMOS_CALLS={quote(str(scratch / 'calls'))}"
    yield "code=0"
    for number, plan in enumerate(plans):
        part = scratch / "parts" / str(number)
        part.mkdir(parents=True)
        yield f"( cd {quote(str(part))}; set -e"
        yield from _steps(plan, part)
        yield ") || code=$?"
    yield "exit $code"


def _steps(plan: Plan, folder: Path) -> Iterator[str]:
    places: dict[str, str] = {}
    for number, (path, data) in enumerate(plan.files.items()):
        part = folder / f"file-{number}"
        part.write_bytes(data)
        if path == "/nomos-script":
            places[path] = str(part)
            continue
        yield f"mkdir -p -- {quote(str(Path(path).parent))} && cp {quote(str(part))} {quote(path)}"
        yield f"chmod 0755 {quote(path)}"
    for one in plan.commands:
        yield " ".join(quote(places.get(part, part)) for part in one)
