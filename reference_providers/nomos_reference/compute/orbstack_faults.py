"""What an engine, its client or the way to it raises, in the words of the taxonomy."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from nomos_contracts.compute.interface import ProviderError
from nomos_reference.compute.orbstack_settings import NAME

NO_SPACE: Final = re.compile(
    r"no space left|disk quota exceeded|cannot allocate memory|not enough memory|resource temporarily unavailable"
    r"|only \d+ CPUs? available|too many open files|insufficient memory",
    re.IGNORECASE,
)
"""How an engine says that the machine below it is used up."""

BUSY: Final = re.compile(
    r"already in progress|marked for removal|is being used|is paused|is not running|resource busy|dependent child",
    re.IGNORECASE,
)
"""How an engine says that a thing is in no state for what was asked."""

LIMIT: Final = re.compile(r"quota|limit (has been )?(reached|exceeded)", re.IGNORECASE)

MISSING_IMAGE: Final = re.compile(r"no such image|image .*not found|reference does not exist", re.IGNORECASE)
MISSING_NETWORK: Final = re.compile(r"network .*not found|no such network", re.IGNORECASE)

_BY_STATUS: Final = {
    400: "INVALID_SPEC",
    401: "AUTH_ERROR",
    403: "AUTH_ERROR",
    404: "NOT_FOUND",
    408: "TIMEOUT_ERROR",
    409: "ALREADY_EXISTS",
    422: "INVALID_SPEC",
    429: "RATE_LIMIT_ERROR",
    501: "UNSUPPORTED_OPERATION",
    502: "NETWORK_ERROR",
    503: "REGION_UNAVAILABLE",
    504: "TIMEOUT_ERROR",
}


def code_of_answer(status: int, message: str) -> str:
    """Return the taxonomy code of an engine's answer.

    Args:
        status: its HTTP status.
        message: what it says.
    """
    if NO_SPACE.search(message):
        return "CAPACITY_ERROR"
    if LIMIT.search(message) and status != 429:
        return "QUOTA_EXCEEDED"
    if status in {404, 400} and (MISSING_IMAGE.search(message) or MISSING_NETWORK.search(message)):
        return "INVALID_SPEC"
    if BUSY.search(message):
        return "INVALID_STATE"
    return _BY_STATUS.get(status, "PROVIDER_INTERNAL")


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and all that lies under it: causes, contexts, and errors that others carry as arguments."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        below = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        waiting.extend(part for part in below if isinstance(part, BaseException))


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _retry_after(response: Any) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _code_of_way(error: BaseException) -> str:
    """Return the code of an error that came from no answer, but from the way to the engine."""
    chain = list(causes(error))
    names = {name for one in chain for name in _names(one)}
    if any(isinstance(one, PermissionError) for one in chain):
        return "AUTH_ERROR"
    # Before timeouts: a refused connection reaches us in an error class that counts as one of them, too.
    if any(isinstance(one, ConnectionError | FileNotFoundError) for one in chain):
        return "NETWORK_ERROR"
    if any(isinstance(one, TimeoutError) for one in chain) or "Timeout" in names or "TimeoutError" in names:
        return "TIMEOUT_ERROR"
    if names & {"TLSParameterError", "SSLError", "InvalidURL", "InvalidSchema"}:
        return "INVALID_SPEC"
    if "InvalidConfigFile" in names:
        return "INVALID_SPEC"
    if any(isinstance(one, OSError) for one in chain) or names & {
        "ConnectionError",
        "HTTPError",  # of urllib3: its base class
        "HTTPException",
        "JSONDecodeError",  # half an answer
    }:
        return "NETWORK_ERROR"
    return "PROVIDER_INTERNAL"


def from_engine(error: BaseException, doing: str) -> ProviderError:
    """Return the error of the taxonomy that *error* is.

    Args:
        error: whatever the client raised.
        doing: what was tried, for the message.
    """
    if isinstance(error, ProviderError):
        return error
    for one in causes(error):
        response = getattr(one, "response", None)
        status = getattr(response, "status_code", None)
        if "APIError" in _names(one) and isinstance(status, int):
            message = str(getattr(one, "explanation", None) or one)
            return ProviderError(
                f"{doing}: the engine answers {status}: {message}",
                code_of_answer(status, message),
                provider=NAME,
                details={"http_status": status},
                retry_after=_retry_after(response),
            )
    deepest = list(causes(error))[-1]
    text = f"{doing}: {type(deepest).__name__}: {deepest}"
    return ProviderError(text, _code_of_way(error), provider=NAME)


@contextmanager
def mapped(doing: str) -> Generator[None]:
    """Turn whatever the block raises into the taxonomy; *doing* begins the message."""
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:  # no raw exception of a client ever leaves the provider
        raise from_engine(error, doing) from error
