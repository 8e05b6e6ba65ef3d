"""For an author's own test files: the contracts to subclass, and what their checks raise.

``pytest_plugins = ["pytest_nomos.testing"]`` in a conftest is allowed and does nothing more than import this module.
"""

from nomos_contracts.chaos import Chaos, Experiment, Injected
from nomos_contracts.clause import clause
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, RunningProvider, Start, Starter, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_code, expect_ok, expect_value

__all__ = [
    "Answer",
    "Blocked",
    "Chaos",
    "Contract",
    "Experiment",
    "Injected",
    "NotApplicable",
    "RunningProvider",
    "Start",
    "Starter",
    "TargetFacts",
    "Violation",
    "clause",
    "expect_code",
    "expect_ok",
    "expect_value",
]
