"""Runs checks of the compute contract on a provider object in this process, as the plugin would."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import nomos_contracts.compute
from nomos_contracts.clause import Clause, Level, clauses_of
from nomos_contracts.compute.interface import INTERFACE
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.embodiment import foreign
from nomos_contracts.faces import InProcessFace, failure_details
from nomos_contracts.functions import Method
from nomos_contracts.provider import FAULT_CODES, Answer, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation
from nomos_proto.errors import ProviderError
from nomos_reference.compute.cloud_server import CloudServer
from pytest_nomos.chaos.vendor import LiveVendor
from pytest_nomos.session.chaos import WorkerChaos
from pytest_nomos.session.vendor import SampledVendor

LIMITS = {"settle": 0.3, "boot": 0.3, "call": 5.0, "recovery": 0.5, "schedule_shrink": 0.2, "schedule_replays": 2}
CLAUSES: Mapping[str, Clause] = clauses_of(("compute",))
Make = Callable[[Mapping[str, Any]], object]


def contracts() -> Iterator[type[Contract]]:
    for entry in pkgutil.iter_modules(nomos_contracts.compute.__path__):
        module = importlib.import_module(f"nomos_contracts.compute.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Contract) and value.__module__ == module.__name__:
                yield value


CHECKS = [(one, name, clause_id) for one in contracts() for name, clause_id in one.checks()]


class DirectFace(InProcessFace):
    """A face without threads: what was started runs together, in the thread that waits for an answer."""

    def __init__(self, subject: object, interface: Any = INTERFACE, **options: Any) -> None:
        super().__init__(subject, interface, **options)
        self.loop = asyncio.new_event_loop()

    def _begin(self, name: str, arguments: Mapping[str, Any], timeout: float | None) -> Any:
        sent = self._plain(name, arguments)
        blank = Answer(name, {"args": sent}, "OK", seconds=self._deadline(timeout))
        return DirectCall(self, blank, self.loop.create_task(self._work(name, sent)), INTERFACE.methods[name])

    async def _work(self, name: str, sent: Mapping[str, Any]) -> Any:
        method = self._embodiment.find(name)
        try:
            found = getattr(self.subject, name)(**method.bind(sent))
            return await found if inspect.isawaitable(found) else found
        except Exception as error:
            raise foreign(error, name) from error

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
        super().close()


class DirectCall:
    def __init__(self, face: DirectFace, blank: Answer, task: asyncio.Task[Any], method: Method) -> None:
        self.face, self.blank, self.task, self.method = face, blank, task, method
        self.found: Answer | None = None

    def cancel(self) -> None:
        self.task.cancel()
        self.done()

    def done(self) -> bool:
        self.face.loop.run_until_complete(asyncio.sleep(0))
        return self.task.done()

    def answer(self, timeout: float | None = None) -> Answer:
        if self.found is None:
            self.face.loop.run_until_complete(asyncio.wait([self.task], timeout=timeout or self.blank.seconds))
            self.found = self.face._finish(self.outcome(), self.method)
        return self.found

    def outcome(self) -> Answer:
        if not self.task.done():
            self.cancel()
            return replace(self.blank, code="DEADLINE_EXCEEDED", message="too late")
        if self.task.cancelled():
            return replace(self.blank, code="CANCELLED", message="the caller has left")
        error = self.task.exception()
        if isinstance(error, ProviderError):
            details = failure_details(error)
            return replace(self.blank, code=error.status, message=error.message, details=details)
        return replace(self.blank, value=self.task.result())


def no_process() -> Any:
    raise NotApplicable("here is no process")


class Bench:
    """One provider, and what checks ask for; `{cloud}` in its samples is a server of clouds of its own."""

    def __init__(self, make: Make, samples: ComputeSamples, config: Mapping[str, Any], face: Any = None) -> None:
        self.make = make
        self.face = face or DirectFace
        self.samples = samples
        self.config = config
        self.target = TargetFacts("target", (), None, "standard", LIMITS, FAULT_CODES)
        self._shared: InProcessFace | None = None
        self._open: list[InProcessFace] = []
        self._beside = ExitStack()
        self._vendor: tuple[WorkerChaos, str] | None = None

    def vendor(self, clause: Clause) -> LiveVendor:
        if self._vendor is None:
            folder = Path(self._beside.enter_context(tempfile.TemporaryDirectory()))
            chaos = WorkerChaos(lambda: folder / "chaos.jsonl", 7)
            self._beside.callback(chaos.close)
            self._vendor = chaos, self._beside.enter_context(CloudServer()).address
        chaos, address = self._vendor
        upstream = self.samples.upstream
        if upstream is not None:
            upstream = upstream.model_copy(update={"address": upstream.address.replace("{cloud}", address)})
        return LiveVendor(SampledVendor(upstream, chaos, self.configured, lambda _: None), clause.id, "target")

    def configured(self, overrides: Mapping[str, Any]) -> InProcessFace:
        try:
            face = self.face(self.make({**self.config, **overrides}), INTERFACE, name="target", seconds=5.0)
        except ProviderError as error:
            raise Blocked("clause:CMP-FLAG-001", error.message) from error
        self._open.append(face)
        return face

    def outcome(self, contract: type[Contract], name: str, clause: Clause) -> tuple[str, str]:
        """Return what became of a check, and why."""
        missing = [one for one in clause.samples if not getattr(self.samples, one)]
        if missing:
            return "blocked", f"sample:{missing[0]}"
        if self._shared is None:
            try:
                self._shared = self.configured({})
            except Blocked as blocked:
                if blocked.by != f"clause:{clause.id}":
                    return "blocked", f"{blocked.by}: {blocked.reason}"
        undeclared = set(clause.capabilities) - (self._shared.capabilities if self._shared else set())
        if undeclared:
            return "not applicable", min(undeclared)
        keep = len(self._open)
        with tempfile.TemporaryDirectory() as scratch:
            fixtures: Mapping[str, Callable[[], Any]] = {
                "nomos_provider": lambda: self._shared,
                "nomos_fresh": lambda: self.configured({}),
                "nomos_configured": lambda: self.configured,
                "nomos_samples": lambda: self.samples,
                "nomos_target": lambda: self.target,
                "nomos_random": lambda: Random(zlib.crc32(name.encode())),
                "nomos_scratch": lambda: Path(scratch),
                "nomos_observe": lambda: lambda *_: None,
                "nomos_spawn": no_process,
                "nomos_vendor": lambda: self.vendor(clause),
            }
            check = getattr(contract(), name)
            try:
                check(**{key: fixtures[key]() for key in inspect.signature(check).parameters})
            except Violation as broken:
                return "failed" if clause.level is Level.MUST else "warned", str(broken)
            except Blocked as blocked:
                return "blocked", f"{blocked.by}: {blocked.reason}"
            except NotApplicable as reason:
                return "not applicable", str(reason)
            finally:
                for face in self._open[keep:]:
                    face.close()
                del self._open[keep:]
        return "passed", ""

    def judge(self, without: frozenset[str] = frozenset()) -> dict[str, tuple[str, str]]:
        """Return outcome and reason of every clause but those of *without*."""
        try:
            return {i: self.outcome(one, name, CLAUSES[i]) for one, name, i in CHECKS if i not in without}
        finally:
            for face in self._open:
                face.close()
            self._shared = None
            self._open.clear()
            self._vendor = None
            self._beside.close()
