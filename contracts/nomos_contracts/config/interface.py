"""The configuration interface in Python: what a provider object offers, and the optional parts beside it.

A provider in another language implements the same five calls of the wire; see the proto file. These names are those of
the serving side, so that a type checker says what is missing before anything runs.
"""

from __future__ import annotations

from nomos_proto.description import ProviderInfo
from nomos_proto.errors import ProviderError
from nomos_proto.provider import (
    CallContext,
    ConfigService,
    FunctionSpec,
    Health,
    HealthStatus,
    Info,
    SupportsAnswerLimit,
    SupportsDescribe,
    SupportsFunctions,
)

INIT_CODES = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNAVAILABLE", "PERMISSION_DENIED")
"""Codes of a failed Init."""

FETCH_CODES = (
    "NOT_FOUND",
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
    "PERMISSION_DENIED",
    "DEADLINE_EXCEEDED",
    "UNAVAILABLE",
)
"""Codes of a failed Fetch."""

ANSWER_BYTES = 4 * 1024 * 1024
"""The longest answer in bytes that the `nomos` command line receives."""

MESSAGE_BYTES = 8 * 1024
"""A status message is shorter than this, or some clients lose the status with it."""

LEVELS = 10
"""Levels of maps and lists that a value should not exceed."""

__all__ = [
    "ANSWER_BYTES",
    "FETCH_CODES",
    "INIT_CODES",
    "LEVELS",
    "MESSAGE_BYTES",
    "CallContext",
    "ConfigService",
    "FunctionSpec",
    "Health",
    "HealthStatus",
    "Info",
    "ProviderError",
    "ProviderInfo",
    "SupportsAnswerLimit",
    "SupportsDescribe",
    "SupportsFunctions",
]
