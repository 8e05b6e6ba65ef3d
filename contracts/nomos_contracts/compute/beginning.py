"""The beginning: a provider that has no configuration yet does nothing."""

from __future__ import annotations

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import expect_failure
from nomos_contracts.compute.interface import INTERFACE
from nomos_contracts.contract import Contract
from nomos_contracts.process.interface import running
from nomos_contracts.provider import Starter


class BeginningContract(Contract):
    """Before Init there is no configuration, so no account in which anything could be done.

    Make the provider in Init, and let calls ask whether it is there before they look at anything else.
    """

    @clause("CMP-SHAPE-004")
    def test_does_nothing_before_init(self, nomos_spawn: Starter) -> None:
        """List, and get of nobody, each twice."""
        provider = running(nomos_spawn())
        for method, arguments in (("list", {}), ("get", {"provider_id": "nomos-nobody"})) * 2:
            answer = provider.call(method, arguments, interface=INTERFACE.name)
            expect_failure(answer, "INVALID_STATE", f"{method} before Init")
