"""Answers and records of the wrong kind: refused."""

from __future__ import annotations

from nomos_proto.provider import FunctionSpec, Health
from pytest_nomos.testing import Answer

Health("fine")  # error: incompatible type "str"; expected "HealthStatus"
FunctionSpec(run=lambda: None)  # error: Incompatible types in assignment|incompatible type


def change(answer: Answer) -> None:
    answer.code = "OK"  # error: Property "code" defined in "Answer" is read-only
