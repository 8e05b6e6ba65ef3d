"""A check of an author's own beside the kit's contracts, accepted by a type checker."""

from __future__ import annotations

from pytest_nomos.testing import Contract, RunningProvider, clause, expect_ok, expect_value


class GreetingContract(Contract):
    """Greets."""

    @clause("CFG-FETCH-001")
    def test_it_greets(self, nomos_provider: RunningProvider) -> None:
        answer = nomos_provider.fetch(["greeting"])
        expect_ok(answer)
        expect_value(answer, "hello")
