"""The vendor of a provider with a function interface: experiments on the way to it, and drift behind it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from nomos_contracts.drift import Drift, Drifted, drifted
from nomos_contracts.fault import DriftFault, Fault
from nomos_contracts.provider import Answer, InterfaceProvider
from nomos_contracts.vendor import Steady
from nomos_contracts.violation import Blocked, NotApplicable, Violation
from nomos_proto.kinds import is_map, is_sequence
from pytest_nomos.chaos.applied import FaultFailed, RevertFailed
from pytest_nomos.chaos.course import Course, LiveFault, see_that_all_bit
from pytest_nomos.chaos.drifting import Drifting
from pytest_nomos.chaos.ending import Stack
from pytest_nomos.chaos.network.proxy import Proxies, ProxyError, read_upstream
from pytest_nomos.chaos.network.striking import Striking
from pytest_nomos.chaos.network.tap import Tap
from pytest_nomos.report.timeline import Timeline

PLACE: Final = "{address}"
"""What stands for the proxy in the changes of a configuration."""

DRIFT_SECONDS: Final = 600.0
"""For which drift is in force at most."""


class Workshop(Protocol):
    """What experiments with a vendor need."""

    @property
    def proxies(self) -> Proxies:
        """The proxies, made when they are asked for."""
        ...

    @property
    def stack(self) -> Stack:
        """Keeps the faults, and ends them for certain."""
        ...

    @property
    def vendor_address(self) -> str:
        """Where the vendor is, as its provider would write it.

        Raises:
            NotApplicable: there is none.
            Blocked: nobody says.
        """
        ...

    @property
    def vendor_config(self) -> Mapping[str, Any]:
        """Changes of the configuration by which a provider goes to ``{address}``."""
        ...

    def make(self, changes: Mapping[str, Any], /) -> InterfaceProvider:
        """Make a provider of the good configuration with *changes*; it is let go of after the check."""
        ...

    def record(self, timeline: dict[str, Any], /) -> None:
        """Take the timeline of an experiment."""
        ...


def proxied(address: str) -> str:
    """Return *address*, a URL or ``host:port``, as a proxy takes it.

    Raises:
        NotApplicable: no proxy can stand before it.
        Blocked: it is no address.
    """
    if address.startswith("unix://"):
        found = f"unix:{address.removeprefix('unix://')}"
    elif "://" in address:
        url = urlsplit(address)
        if url.scheme not in {"tcp", "http"}:
            raise NotApplicable(f"the vendor is reached by {url.scheme}: a proxy cannot stand in its place")
        found = f"{url.hostname or ''}:{url.port or 80}"
    else:
        found = address
    try:
        read_upstream(found)
    except ProxyError as error:
        raise Blocked("author", f"samples.upstream: {error}") from error
    return found


def placed(changes: Any, address: str) -> Any:
    """Return *changes* with *address* in its place in every text."""
    if isinstance(changes, str):
        return changes.replace(PLACE, address)
    if is_map(changes):
        return {name: placed(item, address) for name, item in changes.items()}
    return [placed(item, address) for item in changes] if is_sequence(changes) else changes


class LiveVendorExperiment:
    """One experiment; a `nomos_contracts.vendor.VendorExperiment`.

    Args:
        provider: reaches its vendor through the proxy.
        striking: makes faults of the proxy.
        tap: stands between proxy and vendor, and counts.
        stack: keeps the faults.
        steady: what is answered OK in the steady state.
    """

    def __init__(self, provider: InterfaceProvider, striking: Striking, tap: Tap, stack: Stack, steady: Steady) -> None:
        self.provider = provider
        self._striking = striking
        self._tap = tap
        self._steady = steady
        self._course = Course(stack)

    @property
    def connections(self) -> int:
        """How many connections have reached the vendor."""
        return self._tap.connections

    def begin(self) -> None:
        """See that the steady state is there, and that the vendor is reached through the proxy.

        Raises:
            Blocked: it is not.
        """
        answer, well = self._probe()
        if not well:
            raise Blocked("sample:upstream", f"there is no steady state: {answer.method} answered {answer.summary}")
        if not self._tap.connections:
            raise Blocked("sample:upstream", "with these changes the provider does not reach its vendor at {address}")

    @contextmanager
    def inject(self, fault: Fault, ttl: float = 30.0) -> Generator[LiveFault]:
        """Have *fault* in force.

        Raises:
            Blocked: no mechanism for it, or it did not take hold, or it cannot be ended.
        """
        with self._course.inject(fault, ttl, self._striking.applied) as live:
            yield live

    def recover(self, within: float, good: int = 3) -> float:
        """Probe until it is well.

        Raises:
            Violation: it was not well in time.
            Blocked: nothing was injected, or what was injected never bit.
        """
        seconds = self._course.recover(
            within, good, self._probe, lost=lambda: False, unwell=lambda answer: self._not_well(within, answer)
        )
        see_that_all_bit(self._mute())
        return seconds

    def _mute(self) -> list[str]:
        """Return the faults, as text, that never bit, however often they were injected."""
        faults = self._course.faults
        silent = dict.fromkeys(word for fault in faults for word in fault.mute)
        bitten = {part.words for fault in faults for part in fault.fault.parts if part.words not in fault.mute}
        return [word for word in silent if word not in bitten]

    def _not_well(self, within: float, answer: Answer) -> Violation:
        return Violation(
            f"within {within:g} s after {self._course.words} between provider and vendor, {answer.method} is answered",
            answer.summary,
            answer,
        )

    def _probe(self) -> tuple[Answer, bool]:
        answer = self._steady(self.provider)
        self._course.show(answer, ok=answer.ok)
        return answer, answer.ok

    def timeline(self, clause: str, target: str) -> Timeline:
        """Return what happened, in seconds from the beginning."""
        return self._course.timeline(clause, target)


_NUMBERS: Final = itertools.count(1)


class LiveVendor:
    """Experiments with the vendor of one target for one check; a `nomos_contracts.vendor.Vendor`.

    Args:
        workshop: where they take place.
        clause: id of the clause that is tried.
        target: name of the target.
    """

    def __init__(self, workshop: Workshop, clause: str, target: str) -> None:
        self._workshop = workshop
        self._clause = clause
        self._target = target

    @contextmanager
    def experiment(self, steady: Steady) -> Generator[LiveVendorExperiment]:
        """Make one; see `nomos_contracts.vendor.Vendor`.

        Raises:
            Blocked: there is no steady state, or no proxy.
            NotApplicable: no proxy can stand before this vendor.
        """
        shop = self._workshop
        address = proxied(shop.vendor_address)
        with ExitStack() as stack:
            try:
                tap = stack.enter_context(Tap(address))
                proxy = shop.proxies.create(f"vendor-{next(_NUMBERS)}", tap.address)
            except ProxyError as error:
                raise Blocked("environment", str(error)) from error
            stack.callback(proxy.close)
            provider = shop.make(placed(shop.vendor_config, proxy.address))
            live = LiveVendorExperiment(provider, Striking(proxy), tap, shop.stack, steady)
            try:
                live.begin()
                yield live
            finally:
                shop.record(live.timeline(self._clause, self._target).evidence())

    @contextmanager
    def drift(self, provider: InterfaceProvider, fault: DriftFault, options: Any = None) -> Generator[Drifted]:
        """Do *fault* behind the back of *provider*; see `nomos_contracts.vendor.Vendor`.

        Raises:
            NotApplicable: the target offers no way to do it.
            Blocked: it failed, or cannot be undone.
        """
        offered: Drift[Any] | None = getattr(getattr(provider, "subject", None), "drift", None)
        if offered is None:
            raise NotApplicable("the registration offers no drift: nothing can be done behind the provider's back")
        drifting = Drifting(fault, _doing(offered, fault, options))
        try:
            held = self._workshop.stack.push(drifting, DRIFT_SECONDS)
        except (FaultFailed, RevertFailed) as error:
            raise Blocked("author", str(error)) from error
        assert drifting.done is not None  # noqa: S101 # it was applied
        held.bit(f"the vendor did it to {drifting.done.instance}")
        try:
            yield drifting.done
        finally:
            try:
                held.end()
            except RevertFailed as error:
                raise Blocked("author", str(error)) from error


def _doing(offered: Drift[Any], fault: DriftFault, options: Any) -> Callable[[], Drifted]:
    return lambda: drifted(offered, fault, options)
