"""The reaper: a small process beside the host that starts providers, and ends them when the host is gone.

Started as ``python -I -S reaper.py SOCKET HOST_PID FOLDER…`` and imports the standard library only: it has to be there
in a few hundredths of a second. For each provider it forks a *keeper*, and the keeper forks the provider. On Linux a
keeper is the subreaper of what it started, so that a grandchild that leaves the provider's process group and session
still is a descendant of the keeper; a sweep kills descendants until none is left. The keeper does not collect the
provider's exit status before the sweep: the provider's process id stays its own while the host may signal it.

The host is gone when its socket is at its end or its process has ended (a fork of the host may keep the socket open).
Then each keeper sweeps, and the reaper removes the folders and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import marshal
import os
import select
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Become = Callable[[dict[str, Any], int], None]
    # The last step of a start: takes the request and the descriptor for failures, and does not return unless it fails.

PR_SET_CHILD_SUBREAPER: Final = 36
SWEEP_SECONDS: Final = 10.0
"""A process in uninterruptible sleep does not die; a sweep gives up on it after this many seconds."""
HEADER: Final = 4
DESCRIPTORS: Final = 4
"""Sent with each start: control socket, stdout, stderr, lifeline."""


def pack(message: dict[str, Any]) -> bytes:
    """Return *message* as a frame: four bytes of length, then marshal (both ends run the same interpreter)."""
    body = marshal.dumps(message)
    return len(body).to_bytes(HEADER, "big") + body


def unpack(buffer: bytearray) -> dict[str, Any] | None:
    """Take one frame from the front of *buffer*; None if it is not complete yet."""
    if len(buffer) < HEADER:
        return None
    end = HEADER + int.from_bytes(buffer[:HEADER], "big")
    if len(buffer) < end:
        return None
    message: dict[str, Any] = marshal.loads(bytes(buffer[HEADER:end]))  # noqa: S302 # written by our own other end
    del buffer[:end]
    return message


def descendants(root: int) -> list[int]:
    """Return the process ids below *root*, from one pass over /proc; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    try:
        entries = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 # pathlib costs start-up time
    except OSError:
        return []
    for name in entries:
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 # pathlib costs start-up time
                # The name of the program is in parentheses and may hold anything; the parent is the second field after.
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def remove(path: str) -> None:
    """Remove a folder with all that is in it; links are removed, not followed."""
    try:
        os.chmod(path, 0o700)  # noqa: PTH101 # pathlib costs start-up time
        with os.scandir(path) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                remove(entry.path)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108 # pathlib costs start-up time
        os.rmdir(path)  # noqa: PTH106 # pathlib costs start-up time
    except OSError:
        pass


class Host:
    """The process that we work for, as seen from here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.handle = -1
        opener = getattr(os, "pidfd_open", None)
        if opener is not None:
            with contextlib.suppress(OSError):
                self.handle = opener(pid)

    def watch(self) -> list[int]:
        """Return the descriptors that become readable when the host ends."""
        return [self.handle] if self.handle >= 0 else []

    def gone(self) -> bool:
        """Whether the host has ended, as far as its process handle tells."""
        return self.handle >= 0 and bool(select.select([self.handle], [], [], 0)[0])


class Keeper:
    """Starts one provider, reports its end and sweeps what it left."""

    def __init__(self, control: socket.socket, host: Host, wake: int, become: Become) -> None:
        self.control = control
        self.host = host
        self.wake = wake
        self.become = become
        self.provider = 0
        self.ended = False

    def run(self, stdout: int, stderr: int, lifeline: int) -> None:
        """Do the whole work of a keeper; returns when everything below it is gone."""
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        buffer = bytearray()
        request = None
        while request is None:
            chunk = self.control.recv(65536)
            if not chunk:
                return
            buffer += chunk
            request = unpack(buffer)
        self.start(request, stdout, stderr, lifeline)
        for descriptor in (stdout, stderr, lifeline):
            os.close(descriptor)
        if self.provider:
            self.watch()
        swept = self.sweep()
        self.tell({"swept": swept})

    def start(self, request: dict[str, Any], stdout: int, stderr: int, lifeline: int) -> None:
        """Fork and execute the provider; tell its process id, or why it could not be executed."""
        reader, writer = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            execute(request, stdout, stderr, lifeline, writer, self.become)
        os.close(writer)
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first wins
            os.setpgid(pid, pid)
        failure = b""
        while chunk := os.read(reader, 4096):
            failure += chunk
        os.close(reader)
        if failure:
            os.waitpid(pid, 0)
            number, _, stage = failure.decode().partition(" ")
            self.tell({"errno": int(number), "stage": stage})
            return
        self.provider = pid
        self.tell({"pid": pid, "keeper": os.getpid(), "at": started})

    def watch(self) -> None:
        """Wait until the host asks for the sweep or is gone; report the provider's end meanwhile."""
        self.collect()
        while True:
            watched: list[Any] = [self.control, self.wake, *self.host.watch()]
            ready = select.select(watched, [], [])[0]
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
                ended = self.ended
                self.collect()
                # The provider's own end is the usual news, and looking for orphans is a pass over all processes.
                if self.ended == ended:
                    self.reap_orphans()
            if self.control in ready or any(handle in ready for handle in self.host.watch()):
                self.collect()
                return

    def collect(self) -> None:
        """Notice the provider's end, without reaping it."""
        if not self.ended:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if hasattr(os, "waitid"):
                result = os.waitid(os.P_PID, self.provider, flags)
                if result is not None:
                    self.end(result.si_status, signaled=result.si_code != os.CLD_EXITED)
            else:
                pid, status = os.waitpid(self.provider, os.WNOHANG)
                if pid:
                    code = os.waitstatus_to_exitcode(status)
                    self.end(abs(code), signaled=code < 0)

    def reap_orphans(self) -> None:
        """Reap what was handed down to us and has ended since; the provider itself stays."""
        for pid in descendants(os.getpid()):
            if pid != self.provider:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def end(self, status: int, *, signaled: bool) -> None:
        """Tell the host how the provider ended."""
        self.ended = True
        self.tell({"status": status, "signaled": signaled, "at": time.monotonic()})

    def sweep(self) -> int:
        """Kill and reap everything below this process; return how many were left besides the provider."""
        left: set[int] = set()
        deadline = time.monotonic() + SWEEP_SECONDS
        while time.monotonic() < deadline:
            if self.provider:
                with contextlib.suppress(OSError):
                    os.killpg(self.provider, signal.SIGKILL)
            # Before the pass over all processes: mostly there is nothing but the provider, and it has ended.
            if self.reaped_all():
                return len(left)
            for pid in descendants(os.getpid()):
                if pid != self.provider:
                    left.add(pid)
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if self.reaped_all():
                return len(left)
            # A death wakes us; the time is for one that was handed down while we looked elsewhere.
            if select.select([self.wake], [], [], 0.05)[0]:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
        return len(left)

    def reaped_all(self) -> bool:
        """Reap what has ended; whether nothing is left below this process, to which all orphans are handed."""
        try:
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                if pid == self.provider:
                    self.provider = 0  # its process id may become another process's
        except ChildProcessError:
            return True
        return False

    def tell(self, message: dict[str, Any]) -> None:
        """Send *message* to the host, if it still is there."""
        with contextlib.suppress(OSError):
            self.control.sendall(pack(message))


def replace(request: dict[str, Any], _failure: int) -> None:
    """Replace this process by the program; its end of the pipe for failures closes with that.

    Raises:
        OSError: the program cannot be executed.
    """
    os.execve(request["program"], request["argv"], request["env"])  # noqa: S606 # the program itself, no shell


def execute(
    request: dict[str, Any], stdout: int, stderr: int, lifeline: int, failure: int, become: Become = replace
) -> None:
    """Become the provider; never returns. What goes wrong is written to the descriptor *failure*."""
    stage = "process group"
    try:
        os.setpgid(0, 0)
        stage = "descriptors"
        # Above those that the provider gets, so that no dup2 below overwrites one that is still needed.
        floor = max(stdout, stderr, lifeline, failure, 16)
        out, err, life, tell = (floor + offset for offset in range(1, 5))
        for old, new in ((stdout, out), (stderr, err), (lifeline, life), (failure, tell)):
            os.dup2(old, new, inheritable=False)
        failure = tell
        null = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((null, 0), (out, 1), (err, 2), (life, 3)):
            os.dup2(old, new, inheritable=True)
        os.closerange(4, tell)
        os.closerange(tell + 1, 256)
        stage = "signals"
        for number in signal.valid_signals():
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        stage = "working folder"
        os.chdir(request["cwd"])
        stage = "program"
        become(request, failure)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(failure, f"{error.errno or errno.EINVAL} {stage}".encode())
    finally:
        os._exit(127)


class Reaper:
    """Forks a keeper for each start that the host asks for, until the host is gone."""

    def __init__(self, channel: socket.socket, host: Host, become: Become) -> None:
        self.channel = channel
        self.host = host
        self.become = become
        self.wake = wake_up()
        self.keepers: set[int] = set()

    def serve(self) -> None:
        """Answer the host; returns when it is gone."""
        while not self.host.gone():
            watched: list[Any] = [self.channel, self.wake, *self.host.watch()]
            ready = select.select(watched, [], [])[0]
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
                self.reap()
            if self.channel in ready and not self.fork():
                return

    def fork(self) -> bool:
        """Receive one request and fork its keeper; False at the end of the socket."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.channel, 1, DESCRIPTORS)
        except OSError:
            return False
        if len(descriptors) == DESCRIPTORS:
            pid = os.fork()
            if pid == 0:
                keep(self.channel, self.host, descriptors, self.become)
            self.keepers.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        return bool(data)

    def reap(self) -> bool:
        """Reap what has ended; kill what a keeper left that was killed itself. False when no child is left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return True
                if pid in self.keepers:
                    self.keepers.remove(pid)
                    if status:
                        self.sweep()
        except ChildProcessError:
            return False

    def sweep(self) -> None:
        """Kill every process below this one that is no keeper and not below one."""
        kept = {below for keeper in self.keepers for below in (keeper, *descendants(keeper))}
        for pid in descendants(os.getpid()):
            if pid not in kept:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def finish(self) -> None:
        """Wait until the keepers have swept (they notice the end of the host by themselves), then take the rest."""
        deadline = time.monotonic() + SWEEP_SECONDS + 1
        while self.reap() and time.monotonic() < deadline:
            self.sweep()
            select.select([self.wake], [], [], 0.05)
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 4096)


def keep(channel: socket.socket, host: Host, descriptors: list[int], become: Become) -> None:
    """Be a keeper; never returns."""
    status = 1
    try:
        channel.close()
        control = socket.socket(fileno=descriptors[0])
        Keeper(control, host, wake_up(), become).run(*descriptors[1:])
        status = 0
    finally:
        os._exit(status)


def _notice(number: int, frame: Any) -> None:
    """Handle SIGCHLD by waking whoever reads the wake-up descriptor; ignoring it would reap children unseen."""


def wake_up() -> int:
    """Return a descriptor that becomes readable when a child has ended."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _notice)
    return reader


def main(arguments: list[str], become: Become = replace) -> None:
    """Run the reaper: the descriptor of its socket, the process id of the host, the folders to make and to remove."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE", "SIGTTOU", "SIGTTIN"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What a killed keeper leaves is handed to this process and goes with it.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    channel = socket.socket(fileno=int(arguments[0]))
    host = Host(int(arguments[1]))
    folders = arguments[2:]
    reaper = Reaper(channel, host, become)
    try:
        if os.getppid() != host.pid:
            return
        for folder in folders:
            os.mkdir(folder, 0o700)  # noqa: PTH102 # pathlib costs start-up time
        channel.sendall(b"r")
        reaper.serve()
    finally:
        reaper.finish()
        for folder in folders:
            remove(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
