"""The pool of running providers: processes that checks of a target share, own ones for the checks that want them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nomos_contracts.clause import Profile
from nomos_contracts.fault import Fault
from nomos_contracts.process.interface import first_running, initialised, running
from nomos_contracts.provider import RunningProvider, Start, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation
from pytest_nomos.chaos.applied import Unavailable
from pytest_nomos.chaos.readying import readied
from pytest_nomos.host.cancellation import Cancel
from pytest_nomos.host.host import ProviderHost
from pytest_nomos.host.launch import Launch, Setup
from pytest_nomos.host.remote import RemoteProvider
from pytest_nomos.host.running import HostedProvider
from pytest_nomos.session.background import Background
from pytest_nomos.session.faces import Faces
from pytest_nomos.session.spare import Spare
from pytest_nomos.session.stopping import Stopping
from pytest_nomos.targets.plan import TargetPlan

AFTER_CHECK = 1.0
"""Seconds within which Health answers after a check on a shared process."""


class TargetRun:
    """One target in one worker: its first start, its shared processes, and further ones for checks that want one.

    A dead binary is started once: the first start is kept, and what needs a process is blocked by the clause
    that this start broke.

    Attributes:
        plan: the target.
        profile: the profile that it claims.
        faces: its providers as checks of function interfaces see them.
    """

    def __init__(
        self,
        plan: TargetPlan,
        host: ProviderHost,
        profile: Profile,
        stopping: Stopping,
        background: Background | None = None,
    ) -> None:
        self.plan = plan
        self.profile = profile
        self._host = host
        self._stopping = stopping
        self._background = background
        self._limits = plan.limits
        self._first: Start | None = None
        self._first_used = False
        self._shared: RunningProvider | None = None
        self._uninitialised: RunningProvider | None = None
        self._serial = 0
        self._spare = Spare(lambda closing: self.start(cancel=closing), stopping.stop)
        self.faces = Faces(self)

    @property
    def facts(self) -> TargetFacts:
        """What checks may know of the target."""
        subject = self.plan.subject
        return TargetFacts(
            name=self.plan.name,
            command=self.plan.command,
            file=subject if subject and subject.is_file() else None,
            profile=self.profile.value,
            limits={name: float(value) for name, value in self.plan.limits.model_dump().items()},
            fault_codes=frozenset(self.plan.settings.chaos.allowed),
        )

    def first_start(self) -> Start:
        """Return the result of the one start attempt; never raises for what the provider does."""
        if self._first is None:
            self._first = self.start()
        return self._first

    def start(
        self,
        *,
        unix: bool = False,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        ready_for: Fault | None = None,
        config: Mapping[str, Any] | None = None,
        cancel: Cancel | None = None,
    ) -> Start:
        """Start one more process of the target, or connect once more to one that already runs.

        With *config* that is its good configuration; the start is given up once *cancel* is set.

        Raises:
            Blocked: this machine has no mechanism for a fault that the process is to be ready for.
        """
        plan = self.plan
        if plan.address:
            return self.caller(plan.address)
        launch = Launch(
            command=self._readied((*plan.command, *args), ready_for),
            env={**plan.environment(), **(env or {})},
            inherit_env=self.profile is Profile.CLI,
            unix=unix,
        )
        start = self._host.start(launch, self._next_alias(), self._setup(config), limits=self._limits, cancel=cancel)
        if self._background is not None and isinstance(start.provider, HostedProvider):
            self._background.strike(start.provider)
        return start

    def prepare(self) -> None:
        """Have a process started for `prepared`, while another is in use."""
        # One that waits while a fault is in force on it has lived through what was meant for its check.
        if self._background is None and self.plan.command:
            self._spare.prepare()

    def prepared(self) -> Start:
        """Return a process that was started ahead; start one where there is none."""
        provider = self._spare.take()
        return self.start() if provider is None else Start(provider, None)

    def settle_spare(self) -> None:
        """Wait until no process is being started ahead."""
        self._spare.wait()

    def _readied(self, command: tuple[str, ...], ready_for: Fault | None) -> tuple[str, ...]:
        try:
            for fault in filter(None, (ready_for, self._background.fault if self._background else None)):
                command = readied(command, fault)
        except Unavailable as error:
            raise Blocked("environment", str(error)) from error
        return command

    def caller(self, address: str) -> Start:
        """Connect to what answers at *address* as to a provider that already runs."""
        # The proxies and the host write addresses without a scheme.
        target = address if address.startswith(("grpc:", "unix:")) else f"grpc:{address}"
        remote = RemoteProvider(target, self._next_alias(), self._setup(), self._limits)
        error = remote.connect()
        return Start(None, error) if error else Start(remote, None)

    def _next_alias(self) -> str:
        self._serial += 1
        return f"{self.plan.name}-{self._serial}"

    def good_config(self) -> Mapping[str, Any]:
        """Return the good configuration, for the profile that is claimed."""
        return self.plan.good_config(self.profile)

    def _setup(self, config: Mapping[str, Any] | None = None) -> Setup:
        plan = self.plan
        return Setup(
            alias=plan.settings.alias,
            config=self.good_config() if config is None else config,
            source_file_path=plan.source_file_path,
            metadata=plan.metadata(),
        )

    def release(self, provider: RunningProvider) -> None:
        """Let go of a process or a caller that a check had to itself; processes are stopped beside the run."""
        self._stopping.stop(provider)

    def shared(self) -> RunningProvider:
        """Return the shared process, initialised with the good config; replaced if it died since the last check.

        Raises:
            Blocked: the provider cannot be started, or its good Init fails.
        """
        return self.shared_by(initialised)

    def shared_by(self, initialise: Callable[[RunningProvider], RunningProvider]) -> RunningProvider:
        """Return the shared process as `shared`, a new one initialised by *initialise*.

        Raises:
            Blocked: the provider cannot be started, or what *initialise* raises.
        """
        if self._shared is not None and (self.plan.address or self._shared.alive()):
            return self._shared
        self._shared = None
        provider = first_running(self.first_start())
        if self.plan.command and (self._first_used or not provider.alive()):
            provider = running(self.start())
        self._first_used = True
        self._shared = initialise(provider)
        return self._shared

    @contextmanager
    def fresh(self) -> Generator[RunningProvider]:
        """Lend an own process without Init; it is stopped afterwards.

        Raises:
            Blocked: the provider cannot be started.
        """
        self._needs_process()
        first_running(self.first_start())
        provider = running(self.start())
        try:
            yield provider
        finally:
            self._stopping.stop(provider)

    @contextmanager
    def uninitialised(self) -> Generator[RunningProvider]:
        """Lend a process on which no Init has succeeded; it is used again as long as that holds.

        Raises:
            Blocked: the provider cannot be started.
        """
        self._needs_process()
        provider = self._uninitialised
        if provider is None or not provider.alive():
            self._drop_uninitialised()
            first_running(self.first_start())
            provider = self._uninitialised = running(self.start())
        try:
            yield provider
        finally:
            if isinstance(provider, HostedProvider) and provider.maybe_initialised:
                self._drop_uninitialised()

    @contextmanager
    def spawner(self) -> Generator[Callable[..., Start]]:
        """Lend a function that starts further processes; all of them are stopped afterwards.

        The function raises Blocked where the first start failed.
        """
        self._needs_process()
        started: list[RunningProvider] = []

        def spawn(
            *, init: bool = False, unix: bool = False, args: Sequence[str] = (), env: Mapping[str, str] | None = None
        ) -> Start:
            # Here and not above: a check about the start itself asks for this function and judges before it calls it.
            first_running(self.first_start())
            start = self.start(unix=unix, args=args, env=env)
            if start.provider is not None:
                started.append(start.provider)
                if init:
                    initialised(start.provider)
            return start

        try:
            yield spawn
        finally:
            for provider in started:
                self._stopping.stop(provider)

    def settle(self) -> None:
        """See that the shared process is still well after a check; drop it if it is not.

        Raises:
            Violation: it died, or Health does not answer.
        """
        provider = self._shared
        if provider is None:
            return
        answer = provider.health(timeout=AFTER_CHECK)
        if answer.ok:
            return
        # One ping more, so that a machine that stood still is not held against the provider.
        again = provider.health(timeout=4 * AFTER_CHECK)
        if again.ok:
            return
        ended = provider.wait(0.5) if self.plan.command else None
        got = f"the process {ended.words}" if ended else f"Health answered {again.summary}"
        raise Violation("a provider that is alive and answers Health after the check", got, answer, again)

    def distrust(self, error: AssertionError, *, shared: bool) -> None:
        """Let go of processes on which a check failed: what they do now may be that failure's doing.

        After a call that was not answered within the whole limit, later ones are given less time: the verdict is
        there, and every further check of a mute provider would wait as long again.

        Args:
            error: what the check found.
            shared: whether it had the shared process.
        """
        if shared and self.plan.command:
            self._drop_shared()
        self._drop_uninitialised()
        if isinstance(error, Violation) and error.waited_for(self._limits.call):
            self._limits = self._limits.model_copy(update={"call": min(self._limits.call, self._limits.announce)})

    def close(self) -> None:
        """Let go of the providers and stop the processes that this run keeps."""
        self.faces.close()
        self._spare.close()
        first = self._first.provider if self._first else None
        for provider in {id(p): p for p in (self._shared, self._uninitialised, first) if p}.values():
            self._stopping.stop(provider)
        self._shared = None
        self._uninitialised = None
        self._first = None
        self._first_used = False

    def _drop_shared(self) -> None:
        provider, self._shared = self._shared, None
        # The first one stays: checks about the start look at it.
        if provider is not None and (self._first is None or provider is not self._first.provider):
            self._stopping.stop(provider)

    def _drop_uninitialised(self) -> None:
        provider, self._uninitialised = self._uninitialised, None
        if provider is not None:
            self._stopping.stop(provider)

    def _needs_process(self) -> None:
        if not self.plan.command:
            raise NotApplicable("the target already runs; the kit starts no process of it")


class Pool:
    """All targets of one worker.

    Args:
        plans: the targets by name.
        profiles: the profile claimed for each.
        keep: how many targets keep their processes at a time; those of the oldest are stopped first.
        warm: Python modules that are imported once, so that a provider ``python -m`` one of them starts by fork.
        background: faults that are in force on every process.
    """

    def __init__(
        self,
        plans: Mapping[str, TargetPlan],
        profiles: Mapping[str, Profile],
        keep: int = 2,
        warm: Sequence[str] = (),
        background: Background | None = None,
    ) -> None:
        self._background = background
        self._plans = plans
        self._profiles = profiles
        self._host = ProviderHost(warm=warm)
        self._stopping = Stopping()
        self._runs: dict[str, TargetRun] = {}
        self._keep = keep

    def run(self, name: str) -> TargetRun:
        """Return the run of target *name*; stops the oldest one where too many are kept."""
        run = self._runs.pop(name, None)
        if run is None:
            # An earlier process of the same target that is on its way out may hold what a first start is free to hold.
            self._stopping.wait()
            run = TargetRun(self._plans[name], self._host, self._profiles[name], self._stopping, self._background)
            while len(self._runs) >= self._keep:
                self._runs.pop(next(iter(self._runs))).close()
        self._runs[name] = run
        return run

    def settled(self) -> None:
        """Wait until no process is on its way in or out: for checks that measure."""
        for run in self._runs.values():
            run.settle_spare()
        self._stopping.wait()

    def close(self) -> None:
        """Stop everything."""
        for run in self._runs.values():
            run.close()
        self._runs.clear()
        self._stopping.wait()
        if self._background is not None:
            self._background.close()
        self._host.close()
