"""The beginning: a provider that has no configuration yet does nothing."""

from __future__ import annotations

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import code_of, told
from nomos_contracts.compute.interface import INTERFACE
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Starter
from nomos_contracts.violation import Blocked, Violation


class BeginningContract(Contract):
    """Before Init there is no configuration, so no account in which anything could be done.

    Make the provider in Init, and let calls ask whether it is there before they look at anything else.
    """

    @clause("CMP-SHAPE-004")
    def test_does_nothing_before_init(self, nomos_spawn: Starter) -> None:
        """List, and get of nobody, each twice."""
        started = nomos_spawn()
        if started.provider is None:
            raise Blocked("clause:PROC-START-006", "a further process does not start")
        for method, arguments in (("list", {}), ("get", {"provider_id": "nomos-nobody"})) * 2:
            answer = started.provider.call(method, arguments, interface=INTERFACE.name)
            if answer.code != "FAILED_PRECONDITION" or code_of(answer) != "INVALID_STATE":
                expected = f"{method} before Init fails with FAILED_PRECONDITION (INVALID_STATE)"
                raise Violation(expected, told(answer), answer)
