"""Faults of connections, as something that is applied to a proxy, verified and ended."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from nomos_contracts.fault import Down, Fault, NetworkFault
from pytest_nomos.chaos.applied import Applied, FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.network.proxy import Proxy, ProxyError


class Toxic:
    """A toxic in a proxy.

    Args:
        fault: what it does.
        proxy: where it is put.
        name: what it is called there.
    """

    def __init__(self, fault: NetworkFault, proxy: Proxy, name: str) -> None:
        self.fault = fault
        self._proxy = proxy
        self._name = name
        self._in_force = False

    @property
    def mechanism(self) -> str:
        """The backend."""
        return self._proxy.mechanism

    @property
    def undo(self) -> Mapping[str, Any] | None:
        """To remove the proxy."""
        return self._proxy.undo

    def apply(self) -> None:
        """Add it."""
        try:
            self._proxy.add(self._name, self.fault)
        except ProxyError as error:
            raise FaultFailed(str(error)) from error
        self._in_force = True

    def verify(self) -> None:
        """See that the proxy has it."""
        try:
            there = self._proxy.toxics.get(self._name)
        except ProxyError as error:
            raise FaultFailed(str(error)) from error
        if there is None:
            raise FaultFailed(f"{self.fault.words}: the proxy does not have it")

    def revert(self) -> None:
        """Remove it; where that fails, the proxy goes."""
        if not self._in_force:
            return
        try:
            self._proxy.remove(self._name)
        except ProxyError as error:
            try:
                self._proxy.close()
            except ProxyError as worse:
                raise RevertFailed(f"{error}; and {worse}") from worse
        self._in_force = False

    def bite(self) -> str:
        """How often it struck, as far as the proxy counts."""
        count = self._proxy.struck(self._name)
        return f"it struck {count} times" if count else ""


class Outage:
    """A proxy that does not listen."""

    def __init__(self, fault: Down, proxy: Proxy) -> None:
        self.fault = fault
        self._proxy = proxy
        self._in_force = False
        self._before = 0

    @property
    def mechanism(self) -> str:
        """The backend."""
        return self._proxy.mechanism

    @property
    def undo(self) -> Mapping[str, Any] | None:
        """To remove the proxy."""
        return self._proxy.undo

    def apply(self) -> None:
        """Close what is open, and refuse."""
        self._before = self._proxy.traffic.severed or 0
        try:
            self._proxy.disable()
        except ProxyError as error:
            raise FaultFailed(str(error)) from error
        self._in_force = True

    def verify(self) -> None:
        """See that it does not listen."""
        try:
            listens = self._proxy.enabled
        except ProxyError as error:
            raise FaultFailed(str(error)) from error
        if listens:
            raise FaultFailed("down: the proxy still listens")

    def revert(self) -> None:
        """Listen again."""
        if not self._in_force:
            return
        try:
            self._proxy.enable()
        except ProxyError as error:
            raise RevertFailed(str(error)) from error
        self._in_force = False

    def bite(self) -> str:
        """How many connections it cut."""
        cut = (self._proxy.traffic.severed or 0) - self._before
        return f"{cut} connections were cut" if cut > 0 else ""


class Striking:
    """Makes of faults what can be applied to one proxy; names its toxics."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._numbers: Iterator[int] = itertools.count(1)

    def applied(self, fault: Fault) -> Applied:
        """Return *fault*, ready to be applied.

        Raises:
            Unavailable: it is no fault of connections.
        """
        if isinstance(fault, NetworkFault):
            return Toxic(fault, self._proxy, f"{fault.model_dump()['kind']}-{next(self._numbers)}")
        if isinstance(fault, Down):
            return Outage(fault, self._proxy)
        raise Unavailable(f"{fault.words} is no fault of connections")
