"""What the tests of the OrbStack provider share: options, a provider of one's own, and engines that misbehave."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from components import IMAGE
from nomos_contracts.compute.interface import (
    BootstrapConfig,
    BootstrapScript,
    InstanceStatus,
    ProviderError,
    SpawnOptions,
)
from nomos_reference.compute.orbstack import OrbstackProvider
from nomos_reference.compute.orbstack_backend import BootstrapOutcome

Result = TypeVar("Result")
_NUMBERS = itertools.count(1)

BOOTSTRAP = BootstrapConfig(
    agent_url="https://agent.example.com/agent",
    control_plane_url="https://control.example.com",
    registration_token="a-secret-token",
)


def do(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine of the provider to its end."""
    return asyncio.run(work)


def together(*works: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run coroutines at once; errors are among the results."""

    async def gather() -> list[Any]:
        return await asyncio.gather(*works, return_exceptions=True)

    return asyncio.run(gather())


def options(**changes: Any) -> SpawnOptions:
    """Return options of a spawn that nothing else has asked for."""
    plain = SpawnOptions(spec="small", control_id="tests", instance_id=next(_NUMBERS), bootstrap=BOOTSTRAP)
    return replace(plain, **changes)


def code_of(work: Coroutine[Any, Any, Any]) -> str:
    """Return the code with which a coroutine fails, empty where it does not."""
    try:
        asyncio.run(work)
    except ProviderError as error:
        return error.code if error.provider == "orbstack" else f"{error.code} of nobody"
    return ""


class Scripted(OrbstackProvider):
    """A provider whose instances run a script of the test's own as their bootstrap."""

    def __init__(self, config: Mapping[str, Any], script: str) -> None:
        super().__init__(config)
        self.script = script

    def generate_bootstrap(self, cfg: BootstrapConfig) -> BootstrapScript:
        made = super().generate_bootstrap(cfg)
        import hashlib

        return replace(made, content=self.script, checksum=hashlib.sha256(self.script.encode()).hexdigest())


class InstanceEndedError(AssertionError):
    """An instance ended before it had written down what became of its bootstrap."""


def outcome_of(provider: OrbstackProvider, instance_id: str) -> BootstrapOutcome:
    """Wait until an instance has written down what became of its bootstrap.

    Raises:
        InstanceEndedError: it does not run any more.
    """

    async def wait() -> BootstrapOutcome:
        async with asyncio.timeout(60):
            while (found := await provider.bootstrap_outcome(instance_id)) is None:  # another machine
                there = await provider.get(instance_id)
                assert there is not None
                if there.status is not InstanceStatus.RUNNING:
                    raise InstanceEndedError(str(there))
                await asyncio.sleep(0.05)
            return found

    return do(wait())


def config(**changes: Any) -> dict[str, Any]:
    """Return the configuration of a provider on the tests' engine."""
    return {"image": IMAGE, **changes}


Reply = Callable[[socket.socket], None]


def http(status: int, body: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply that answers and closes."""
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    text = "\r\n".join([*lines, "Connection: close", "", body])
    return lambda peer: peer.sendall(text.encode())


def cut(peer: socket.socket) -> None:
    """Answer half of a document and hang up."""
    peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"Id": "')


VERSION = http(200, '{"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "1.0"}')
INFO = http(
    200, '{"ServerVersion": "1.0", "Driver": "none", "NCPU": 2, "MemTotal": 4294967296, "OperatingSystem": "x"}'
)


@dataclass
class Engine:
    """An engine that answers what a test says, by the end of the path; it writes down what it was asked."""

    url: str
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    mute: threading.Event = field(default_factory=threading.Event)

    def reply(self, peer: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (part := peer.recv(65536)):
            head += part
        if not head:
            return
        line = head.split(b"\r\n")[0].decode()
        path = line.split(" ")[1].partition("?")[0]
        self.asked.append(f"{line.split(' ')[0]} {path}")
        for end, reply in ({"/version": VERSION, "/info": INFO} | self.replies).items():
            if path.endswith(end):
                reply(peer)
                return
        http(404, '{"message": "no such thing"}')(peer)


@contextmanager
def engine_at(path: Path) -> Iterator[Engine]:
    """Serve a made-up engine on a Unix socket."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(16)
    engine = Engine(f"unix://{path}")
    threads: list[threading.Thread] = []

    def handle(peer: socket.socket) -> None:
        with peer:
            try:
                engine.reply(peer)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            thread = threading.Thread(target=handle, args=(peer,))
            thread.start()
            threads.append(thread)

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield engine
    finally:
        engine.mute.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join()
        for thread in threads:
            thread.join()


def names(found: Sequence[Any]) -> list[str]:
    """Return the ids of instances."""
    return [one.id for one in found]
