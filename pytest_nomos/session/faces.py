"""Providers of function interfaces in one worker: one that the checks of a target share, and further ones."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from nomos_contracts.embodiment import create
from nomos_contracts.faces import InProcessFace, WireFace
from nomos_contracts.functions import FunctionInterface, function_interface
from nomos_contracts.provider import InterfaceProvider, RunningProvider
from nomos_contracts.violation import Blocked, Violation
from nomos_proto.errors import ProviderError
from pytest_nomos.targets.ways import Make

if TYPE_CHECKING:
    from pytest_nomos.session.pool import TargetRun

Kind = TypeVar("Kind", InProcessFace, WireFace)

LET_GO = 0.5
"""Seconds that a provider object has to end when it is let go of in the middle of a run."""


class Faces:
    """One target with a function interface: its shared provider, and own ones for the checks that want them.

    Args:
        run: the target; its processes where it is reached over the wire.
    """

    def __init__(self, run: TargetRun) -> None:
        self._run = run
        self._shared: InProcessFace | WireFace | None = None
        self._process: RunningProvider | None = None
        self._failure: Blocked | None = None
        self._seconds = run.plan.limits.call

    @property
    def interface(self) -> FunctionInterface:
        """The interface that the target implements."""
        return function_interface(self._run.plan.interface)

    @property
    def config(self) -> Mapping[str, Any]:
        """The good configuration."""
        return self._run.plan.good_config(self._run.profile)

    def shared(self) -> InProcessFace | WireFace:
        """Return the shared provider, made from the good configuration; replaced if it is of no further use.

        Raises:
            Blocked: it cannot be made, or its program cannot be started.
        """
        make = self._run.plan.make
        if make is not None:
            if self._shared is None:
                self._shared = self._object(make, {})
            return self._shared
        process = self._run.shared_by(self._initialised)
        if not isinstance(self._shared, WireFace) or self._process is not process:
            self._shared, self._process = self._wire(process), process
        return self._shared

    def process(self) -> RunningProvider:
        """Return the process of the shared provider, for checks about processes.

        Raises:
            Blocked: its program cannot be started, or its good Init fails.
        """
        return self._run.shared_by(self._initialised)

    @contextmanager
    def fresh(self) -> Generator[InterfaceProvider]:
        """Lend a provider of its own with nothing in it.

        Raises:
            Blocked: it cannot be made, or its program cannot be started.
        """
        with self.configured() as make:
            yield make({})

    @contextmanager
    def configured(self) -> Generator[Callable[[Mapping[str, Any]], InterfaceProvider]]:
        """Lend a function that makes providers of the good configuration with some keys replaced.

        All of them are let go of afterwards. The function raises Blocked where it cannot make one.
        """
        with ExitStack() as lent:

            def make_one(overrides: Mapping[str, Any]) -> InterfaceProvider:
                make = self._run.plan.make
                if make is not None:
                    face = self._object(make, overrides)
                    lent.callback(face.close, LET_GO)
                    return face
                process = lent.enter_context(self._run.fresh())
                return self._wire(self._initialised(process, overrides))

            yield make_one

    def settle(self) -> None:
        """See after a check that the shared provider is of further use; let go of it if it is not.

        Raises:
            Violation: its process died, or Health does not answer.
        """
        if self._run.plan.make is None:
            self._run.settle()
        elif self._shared is not None and self._shared.stuck:
            self._drop()

    def distrust(self, error: AssertionError, *, shared: bool) -> None:
        """Let go of the shared provider after a failed check: what it does now may be that failure's doing.

        After a call that was not answered within the whole limit, later ones are given less time, as for processes.

        Args:
            error: what the check found.
            shared: whether it had the shared provider.
        """
        limits = self._run.plan.limits
        if isinstance(error, Violation) and error.waited_for(limits.call):
            self._seconds = min(limits.call, limits.announce)
        if self._run.plan.make is None:
            self._run.distrust(error, shared=shared)
        elif shared:
            self._drop()

    def close(self) -> None:
        """Let go of the shared provider. Idempotent."""
        self._drop()

    def _drop(self) -> None:
        face, self._shared, self._process = self._shared, None, None
        if isinstance(face, InProcessFace):
            face.close(LET_GO)

    def _object(self, make: Make, overrides: Mapping[str, Any]) -> InProcessFace:
        plan = self._run.plan
        if self._failure is not None:
            # As a start: what cannot be made is tried once.
            raise Blocked(self._failure.by, self._failure.reason)
        try:
            made = create(make, {**self.config, **overrides}, plan.limits.call)
            face = InProcessFace(made, self.interface, name=str(getattr(made, "name", "")), seconds=self._seconds)
            return self._watched(face)
        except ProviderError as error:
            # An extra of the kit that is not installed is no fault of the provider.
            by = "kit" if _lacks_extra(error) else self._culprit(error.message)
            blocked = Blocked(by, f"the provider cannot be made of its [config]: {error.message}")
            if not overrides:
                self._failure = blocked
            raise blocked from error

    def _culprit(self, message: str) -> str:
        """Return what blocks everything where no provider can be made: a clause about its flags, or its author."""
        module = import_module(f"nomos_contracts.{self._run.plan.interface}.interface")
        clause: str = getattr(module, "FLAGS_CLAUSE", "")
        return f"clause:{clause}" if clause and message.startswith("capabilities:") else "author"

    def _wire(self, process: RunningProvider) -> WireFace:
        return self._watched(WireFace(process, self.interface, seconds=self._seconds))

    def _watched(self, face: Kind) -> Kind:
        """Return *face*; what it spawns is written down."""
        plan = self._run.plan
        if plan.custody is not None and plan.interface == "compute":
            face.watcher = plan.custody.journal(plan.name)
        return face

    def _initialised(self, process: RunningProvider, overrides: Mapping[str, Any] | None = None) -> RunningProvider:
        answer = process.init({**process.good_config, **overrides}) if overrides else process.init()
        if not answer.ok:
            raise Blocked(self._culprit(answer.message), f"Init with its [config] answered {answer.summary}")
        return process


def _lacks_extra(error: BaseException | None) -> bool:
    """Whether *error*, or what it comes from, says that an extra of the kit is not installed."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:  # somebody may have raised an error from itself
        if isinstance(error, ProviderError) and "extra" in error.details:
            return True
        seen.append(error)
        error = error.__cause__
    return False
