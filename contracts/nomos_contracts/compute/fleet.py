"""The fleet: what one check spawns, how it waits for it, and how all of it goes again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from nomos_contracts.compute.ids import alike
from nomos_contracts.compute.interface import (
    BootstrapConfig,
    InstanceStatus,
    ListFilter,
    ProviderInstance,
    SpawnOptions,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten
from nomos_proto.errors import row_of

SHAPE = "clause:CMP-SHAPE-001"
SPAWN = "clause:CMP-SPAWN-001"
LIST = "clause:CMP-LIST-001"
GET = "clause:CMP-GET-001"

SETTLE = 10.0
"""Seconds after which a change is seen everywhere, unless ``limits.settle`` says otherwise."""

BOOT = 60.0
"""Seconds from spawn to running, unless ``limits.boot`` says otherwise."""

ENDED = frozenset({InstanceStatus.TERMINATING, InstanceStatus.TERMINATED})
FRESH = frozenset({InstanceStatus.PENDING, InstanceStatus.STARTING, InstanceStatus.RUNNING})

LOOKS = 16
"""At least so many looks at something that has to settle, however slow this machine is."""

TAG = "nomos-check"
"""Every instance of a check carries this tag with a value of the check's own, so that a sweep finds what is left."""

Configured = Callable[[Mapping[str, Any]], InterfaceProvider]
"""Makes a further provider from the good configuration with changes; it is closed after the check."""

_IDS = itertools.count(1)


def shaped(answer: Answer) -> Answer:
    """Return *answer* unless it does not fit its type, which is another clause's matter.

    Raises:
        Blocked: its value does not fit.
    """
    if answer.decode_error:
        raise Blocked(SHAPE, answer.decode_error)
    return answer


def code_of(answer: Answer) -> str:
    """Return the taxonomy code of a failed answer, empty for a good one or a raw exception."""
    return "" if answer.code == "OK" else str(answer.details.get("code") or "")


def told(answer: Answer) -> str:
    """Return *answer* in a few words, with its taxonomy code."""
    code = code_of(answer)
    exception = answer.details.get("exception")
    return answer.summary + (f" ({code})" if code else "") + (f" (raised {exception})" if exception else "")


def expect_taxonomy(answer: Answer, *codes: str, because: str = "") -> Answer:
    """Return *answer* if it failed with one of the taxonomy *codes*.

    Raises:
        Violation: it did not.
    """
    if code_of(shaped(answer)) in codes:
        return answer
    asked = f"{answer.method} fails with {' or '.join(codes)}" + (f" ({because})" if because else "")
    raise Violation(asked, told(answer), answer)


def expect_failure(answer: Answer, code: str, what: str) -> None:
    """See that *what*, a call over the wire, fails with the taxonomy *code* and with the gRPC status of that code.

    Raises:
        Violation: it does not.
    """
    status = row_of(code).status
    if answer.code != status or code_of(answer) != code:
        raise Violation(f"{what} fails with {status} ({code})", told(answer), answer)


def bootstrap(**changes: Any) -> BootstrapConfig:
    """Return a plain bootstrap configuration with *changes*."""
    plain = BootstrapConfig(
        agent_url="https://agent.example.com/agent",
        control_plane_url="https://control.example.com",
        registration_token="nomos-registration-token",  # noqa: S106 # a made-up one
    )
    return replace(plain, **changes)


@dataclass
class Fleet:
    """The instances of one check.

    Attributes:
        provider: the provider under test.
        samples: what its author told.
        limits: limits from the settings.
        random: where names are drawn from.
        mark: value of the tag that all its instances carry.
        ids: of the instances that it knows of.
        known: ids of the instances that were there before it.
    """

    provider: InterfaceProvider
    samples: ComputeSamples
    limits: Mapping[str, float]
    random: Random
    mark: str = ""
    ids: list[str] = field(default_factory=list[str])
    known: frozenset[str] = frozenset()
    _lost: bool = False
    _requests: list[str] = field(default_factory=list[str])

    @property
    def settle(self) -> float:
        """Seconds after which a change is seen everywhere."""
        return self.limits.get("settle", SETTLE)

    @property
    def boot(self) -> float:
        """Seconds from spawn to running."""
        return self.limits.get("boot", BOOT)

    def name(self) -> str:
        """Return a made-up name."""
        return f"{self.random.getrandbits(40):010x}"

    def options(self, **changes: Any) -> SpawnOptions:
        """Return the options of a spawn of its own, with *changes*; tags are added to the mark."""
        given: Mapping[str, str] = changes.pop("tags", None) or {}
        tags = {TAG: self.mark, **given}
        plain = SpawnOptions(
            spec=self.samples.spec,
            control_id=f"nomos-{self.mark}",
            instance_id=next(_IDS),
            bootstrap=bootstrap(),
            tags=tags,
        )
        return replace(plain, **changes)

    def try_spawn(self, options: SpawnOptions | None = None, /, **changes: Any) -> Answer:
        """Spawn and return the answer, whatever it is; an instance that comes belongs to the fleet."""
        return self.adopt(self.provider.invoke("spawn", options=options or self.options(**changes)))

    def adopt(self, answer: Answer) -> Answer:
        """Take the instance of *answer* in, if there is one."""
        if answer.code in {"DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE", "UNKNOWN"} or answer.decode_error:
            self._lost = True
        if answer.ok and isinstance(answer.value, ProviderInstance) and answer.value.id:
            self.own(answer.value.id)
        return answer

    def own(self, instance_id: str) -> None:
        """Terminate *instance_id* in the end."""
        if instance_id not in self.ids:
            self.ids.append(instance_id)

    def spawn(self, options: SpawnOptions | None = None, /, **changes: Any) -> ProviderInstance:
        """Spawn an instance.

        Raises:
            Blocked: that failed, which is another clause's matter.
        """
        answer = shaped(self.try_spawn(options, **changes))
        if not answer.ok or not answer.value.id:
            raise Blocked(SPAWN, f"spawn gave no instance: {told(answer)}")
        instance: ProviderInstance = answer.value
        return instance

    def spawn_many(self, count: int, **changes: Any) -> list[ProviderInstance]:
        """Spawn *count* instances at once."""
        return self.spawn_all([self.options(**changes) for _ in range(count)])

    def spawn_all(self, wished: Iterable[SpawnOptions]) -> list[ProviderInstance]:
        """Spawn an instance for each of *wished*, all at once.

        Raises:
            Blocked: one of them failed.
        """
        pending = [self.provider.start("spawn", options=one) for one in wished]
        answers = [self.adopt(one.answer()) for one in pending]
        for answer in answers:
            if not shaped(answer).ok or not answer.value.id:
                raise Blocked(SPAWN, f"spawn gave no instance: {told(answer)}")
        return [answer.value for answer in answers]

    def get(self, instance_id: str) -> ProviderInstance | None:
        """Return what `get` answers.

        Raises:
            Blocked: it fails.
        """
        answer = shaped(self.provider.invoke("get", provider_id=instance_id))
        if answer.code != "OK":
            raise Blocked(GET, f"get fails: {told(answer)}")
        found: ProviderInstance | None = answer.value
        return found

    def list_answer(self, wanted: ListFilter | None = None) -> Answer:
        """Return the answer of `list`.

        Raises:
            Blocked: it does not fit its type.
        """
        return shaped(self.provider.invoke("list", filter=wanted))

    def shown(self, wanted: ListFilter | None = None) -> Sequence[ProviderInstance]:
        """Return what `list` answers.

        Raises:
            Blocked: it fails.
        """
        answer = self.list_answer(wanted)
        if answer.code != "OK":
            raise Blocked(LIST, f"list fails: {told(answer)}")
        found: Sequence[ProviderInstance] = answer.value
        return found

    def listed(self, wanted: ListFilter | None = None) -> list[str]:
        """Return the ids of the fleet that `list` answers, as often as it does."""
        return [one.id for one in self.shown(wanted) if one.id in self.ids]

    def other(self, name: str) -> str:
        """Return an id of the shape of *name* that nothing has."""
        return alike(name, self.random)

    def follow(self, request_id: str) -> None:
        """Take in whatever instance comes of a spot request; nothing comes of it after the check."""
        self._requests.append(request_id)

    def followed(self, answer: Answer) -> Answer:
        """Return *answer* to a spot request, which is followed if it was accepted."""
        if answer.ok:
            self.follow(answer.value.request_id)
        return answer

    def nobody(self, instance_id: str) -> str:
        """Return an id of the shape of *instance_id* that no instance of the account has."""
        there = {one.id for one in self.shown(ListFilter(include_terminated=True))} | set(self.ids)
        while (found := alike(instance_id, self.random)) in there:
            instance_id += "0"
        return found

    def poll(self, seconds: float, look: Callable[..., Any], *args: Any) -> Any:
        """Return the first true result of ``look(*args)``, or its last one after *seconds*."""
        end = time.monotonic() + seconds
        pause, looks = 0.002, 0
        while True:
            found = look(*args)
            looks += 1
            if found or (time.monotonic() >= end and looks >= LOOKS):
                return found
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5, max(seconds, 0.02) / LOOKS)

    def running(self, instance_id: str) -> ProviderInstance | None:
        """Wait until an instance runs; None where it does not within the limit."""

        def look() -> ProviderInstance | None:
            found = self.get(instance_id)
            return found if found is not None and found.status is InstanceStatus.RUNNING else None

        found: ProviderInstance | None = self.poll(self.boot, look)
        return found

    def run_all(self, instances: Iterable[ProviderInstance]) -> None:
        """Wait until all *instances* run.

        Raises:
            Blocked: one does not.
        """
        for one in instances:
            if self.running(one.id) is None:
                raise Blocked("clause:CMP-STATE-001", f"{one.id} does not run within {self.boot:g} s")

    def visible(self, instances: Iterable[ProviderInstance]) -> None:
        """Wait until `list` shows all *instances*.

        Raises:
            Blocked: it does not show one within the limit.
        """
        wanted = {one.id for one in instances}
        if not self.poll(self.settle, lambda: wanted <= set(self.listed())):
            raise Blocked(LIST, f"list does not show what was spawned within {self.settle:g} s")

    def ended(self, instance_id: str) -> bool:
        """Wait until `get` says that an instance is gone; False where it does not within the limit."""

        def look() -> bool:
            found = self.get(instance_id)
            return found is None or found.status is InstanceStatus.TERMINATED

        return bool(self.poll(self.settle, look))

    def stays_ended(self, instance_id: str) -> bool:
        """Wait until `get` says time after time that an instance is gone; once may be that it is not seen yet."""

        def gone() -> bool:
            found = self.get(instance_id)
            return found is None or found.status is InstanceStatus.TERMINATED

        end = time.monotonic() + 2 * self.settle
        while self.poll(self.settle, gone):
            if all(gone() for _ in range(LOOKS)):
                return True
            if time.monotonic() > end:
                break
        return False

    def terminate(self, instance_id: str) -> Answer:
        """Terminate an instance and return the answer.

        Raises:
            Blocked: it fails, which is another clause's matter.
        """
        answer = self.provider.invoke("terminate", provider_id=instance_id)
        if answer.code != "OK":
            raise Blocked("clause:CMP-TERM-001", f"terminate fails: {told(answer)}")
        return answer

    def end(self, instance_id: str) -> None:
        """Terminate an instance and wait until it is gone.

        Raises:
            Blocked: it does not go, which is another clause's matter.
        """
        self.terminate(instance_id)
        if not self.ended(instance_id):
            raise Blocked("clause:CMP-TERM-001", f"{instance_id} is not gone within {self.settle:g} s")

    def close(self) -> None:
        """Terminate everything that belongs to the fleet; what a lost answer left behind is found by its tag."""
        if self._lost:
            answer = self.provider.invoke("list", filter=ListFilter(tags={TAG: self.mark}))
            if answer.ok:
                for one in answer.value:
                    if one.id not in self.known:
                        self.own(one.id)
        for request in self._requests:
            self.provider.invoke("cancel_spot_request", request_id=request)
        if self._requests:
            answer = self.provider.invoke("list")
            for one in answer.value if answer.ok else ():
                if one.spot_request_id in self._requests and one.id not in self.known:
                    self.own(one.id)
        pending = [self.provider.start("terminate", provider_id=one) for one in self.ids]
        for one in pending:
            one.answer()

    def remember(self) -> None:
        """Note what was there before: only instances that came since may be taken for one's own."""
        answer = self.provider.invoke("list")
        self.known = frozenset(one.id for one in answer.value) if answer.ok else frozenset()


@contextmanager
def fleet_of(
    provider: InterfaceProvider, samples: ComputeSamples, target: TargetFacts, random: Random
) -> Generator[Fleet]:
    """Yield a fleet on *provider*; all that it spawned is terminated afterwards, whatever happens."""
    fleet = Fleet(provider, samples, target.limits, random)
    # With a letter, for checks of upper and lower case.
    fleet.mark = f"m{fleet.name()}"
    fleet.remember()
    try:
        yield fleet
    finally:
        fleet.close()


def words(instance: ProviderInstance | None) -> str:
    """Return an instance in a few words."""
    return "nothing" if instance is None else shorten(instance)
