"""The memory provider's own contract, which its registration carries."""

from __future__ import annotations

from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider
from nomos_contracts.violation import Violation


class MemoryClockContract(Contract):
    """Time in the memory provider passes by calls alone."""

    @clause("CMP-REG-001")
    def test_each_call_moves_the_clock_by_one_tick(self, nomos_provider: InterfaceProvider) -> None:
        """Five calls of get."""
        provider: Any = getattr(nomos_provider, "subject").provider  # noqa: B009 # in this process alone
        before, tick = provider.cloud.now, provider.settings.tick
        for _ in range(5):
            nomos_provider.invoke("get", provider_id="i-nobody")
        passed = provider.cloud.now - before
        if abs(passed - 5 * tick) > 1e-6:  # sums of floats
            raise Violation(f"five ticks of {tick} s", f"{passed} s")
