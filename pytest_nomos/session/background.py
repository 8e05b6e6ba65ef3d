"""Background faults: named on the command line, and in force on every process of a run while its checks go on."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from nomos_contracts.fault import Down, DriftFault, Fault, FaultError, Kill, NetworkFault, Pause, Terminate, parse_fault
from nomos_contracts.violation import Blocked
from pytest_nomos.chaos.applied import Applied, FaultFailed, RevertFailed, Unavailable
from pytest_nomos.chaos.ending import Held
from pytest_nomos.chaos.network.proxy import Proxy, ProxyError
from pytest_nomos.chaos.network.striking import Striking
from pytest_nomos.chaos.striking import process_fault
from pytest_nomos.chaos.subject import ProcessSubject
from pytest_nomos.host.running import HostedProvider

if TYPE_CHECKING:
    from pytest_nomos.session.chaos import WorkerChaos

WHOLE_LIFE: Final = 86_400.0
"""Seconds for which a fault is in force that ends with its process."""
EVERY: Final = 1.0
"""Seconds from one pulse of a fault under which nothing at all is answered to the next."""
PULSE: Final = 0.2
"""Seconds of such a pulse: less than the shortest time that a clause gives for an answer."""


def background_fault(text: str) -> Fault:
    """Return the fault that *text* names, if whole contracts can be tried under it.

    Raises:
        FaultError: it names none, or one that ends the process.
    """
    fault = parse_fault(text)
    for part in fault.parts:
        if isinstance(part, DriftFault):
            raise FaultError(f"{part.words} is done to one instance, by a check that knows which; name another fault")
        if isinstance(part, Kill | Terminate):
            raise FaultError(f"{part.words} ends the process, and then there is nothing to try; pause lets it go on")
    return fault


class Background:
    """Strikes the processes of a worker.

    Args:
        fault: what is done to each; they are started so that it can be.
        worker: keeps the faults and has the proxies.
    """

    def __init__(self, fault: Fault, worker: WorkerChaos) -> None:
        self.fault = fault
        self._worker = worker
        self._over = threading.Event()
        self._attendants: list[threading.Thread] = []

    def strike(self, provider: HostedProvider) -> None:
        """Put the fault in force on a process that was just started; it ends with the process.

        Raises:
            Blocked: this machine has no mechanism for it.
        """
        held: list[Held] = []
        pulses: list[Applied] = []
        proxy: Proxy | None = None
        try:
            subject = ProcessSubject.of(provider.pid)
            if any(isinstance(part, NetworkFault | Down) for part in self.fault.parts):
                proxy = self._worker.proxies.create(f"background-{provider.pid}", provider.announcement.address)
            striking = Striking(proxy) if proxy is not None else None
            for part in self.fault.parts:
                network = isinstance(part, NetworkFault | Down)
                applied = striking.applied(part) if striking and network else process_fault(part, subject)
                if isinstance(part, Pause | Down):
                    pulses.append(applied)
                else:
                    held.append(self._worker.stack.push(applied, WHOLE_LIFE))
        except (Unavailable, FaultFailed, ProxyError) as error:
            self._let_go(held, proxy)
            if not provider.alive():
                return  # whatever it died of is for the checks to find
            raise Blocked("environment", f"{self.fault.words}: {error}") from error
        if proxy is not None:
            provider.external.reroute(proxy.address)
        thread = threading.Thread(
            target=self._attend, args=(provider, held, pulses, proxy), name=f"nomos-chaos-{provider.pid}", daemon=True
        )
        self._attendants = [other for other in self._attendants if other.is_alive()]
        self._attendants.append(thread)
        thread.start()

    def _attend(self, provider: HostedProvider, held: list[Held], pulses: list[Applied], proxy: Proxy | None) -> None:
        """Let pulses strike for as long as the process lives, then end what is in force on it."""
        while not self._over.wait(EVERY) and provider.alive():
            for applied in pulses:
                with suppress(FaultFailed, RevertFailed):  # it has ended meanwhile
                    pulse = self._worker.stack.push(applied, EVERY)
                    self._over.wait(PULSE)
                    pulse.end()
        self._let_go(held, proxy)

    def _let_go(self, held: list[Held], proxy: Proxy | None) -> None:
        for one in reversed(held):
            with suppress(RevertFailed):  # the journal has it, and the stack tries again at the end
                one.end()
        if proxy is not None:
            with suppress(ProxyError):  # as above, with the proxies
                proxy.close()

    def close(self) -> None:
        """End everything. Idempotent."""
        self._over.set()
        for thread in self._attendants:
            thread.join()
        self._attendants.clear()
