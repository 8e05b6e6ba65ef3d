"""JSON and YAML documents as plain JSON values, within limits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from nomos_proto.errors import ProviderError
from nomos_proto.kinds import is_list, is_map
from nomos_reference.config.limits import Budget

Parser = Callable[[bytes, str, Budget], Any]
"""Takes the bytes, what to call the document in messages, and the budget of the call."""


def malformed(name: str, reason: str) -> ProviderError:
    """Return the error for a document that cannot be used."""
    return ProviderError(f"{name}: {reason}", "INVALID_STATE")


def decode(data: bytes, name: str) -> str:
    """Return the text of a document, without a byte order mark.

    Raises:
        ProviderError: INVALID_STATE where it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise malformed(name, f"is not UTF-8 (byte {error.start + 1})") from error


class _UnusableError(ValueError):
    pass


def _no_constant(text: str) -> float:
    raise _UnusableError(f"{text} is no JSON number")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _UnusableError("a number is too large for a double")
    return number


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _UnusableError("a key stands twice in one map")
    return found


def parse_json(data: bytes, name: str, budget: Budget) -> Any:
    """Read a JSON document.

    Raises:
        ProviderError: INVALID_STATE where it is malformed or holds what JSON cannot, LIMIT_EXCEEDED over a limit.
    """
    text = decode(data, name)
    try:
        document = json.loads(text, parse_constant=_no_constant, parse_float=_float, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        raise malformed(name, f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})") from error
    except RecursionError as error:
        budget.check_depth(10**9)
        raise malformed(name, "is nested too deeply") from error
    except _UnusableError as error:
        raise malformed(name, str(error)) from error
    except ValueError as error:
        # What is left is an integer with more digits than Python converts.
        raise malformed(name, "a number has too many digits") from error
    charge(document, budget)
    return document


def charge(document: Any, budget: Budget) -> None:
    """Take the values of *document* from the budget.

    Raises:
        ProviderError: LIMIT_EXCEEDED.
    """
    levels: list[Iterator[Any]] = [iter((document,))]
    while levels:
        for value in levels[-1]:
            budget.spend_items(1)
            if is_map(value) or is_list(value):
                budget.check_depth(len(levels))
                levels.append(iter(value.values() if is_map(value) else value))
                break
        else:
            levels.pop()


def parse_yaml(data: bytes, name: str, budget: Budget) -> Any:
    """Read a YAML document.

    Raises:
        ProviderError: as `parse_json`.
    """
    from nomos_reference.config.yaml_documents import parse

    return parse(decode(data, name), name, budget)


PARSERS: Final[dict[str, Parser]] = {".json": parse_json, ".yaml": parse_yaml, ".yml": parse_yaml}
"""Parsers by the ending of a file's name, in the order in which they are looked for."""
