"""One exchange as JSON for the report, and the command line that makes it again; settings stay hidden in both."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, cast

from nomos_contracts.jsonform import to_json
from nomos_contracts.provider import Answer
from pytest_nomos.report.jsontext import canonical, plain, slow_digest
from pytest_nomos.report.model import Exchange

HIDDEN = "<hidden>"
EXCHANGES = 8
"""How many exchanges a record keeps: the last ones, for the last shows the violation."""
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029]")
"""What JSON leaves as it is and a terminal or an editor takes for the end of a line, or for an order."""
MASK_FROM = 4
"""Shorter secrets are not masked in texts: they would turn up by chance."""


def exchange(answer: Answer, secrets: Iterable[str] = ()) -> Exchange:
    """Return *answer* as it goes into a report.

    Args:
        answer: one exchange.
        secrets: texts that are replaced wherever they stand, for instance values of secret keys and of the environment.
    """
    hide = sorted({secret for secret in secrets if len(secret) >= MASK_FROM}, key=len, reverse=True)
    message = answer.message
    if answer.decode_error:
        message = f"{message} (the answer cannot be decoded: {answer.decode_error})".strip()
    value: Any = answer.value
    if value is None and answer.decode_error and answer.response is not None:
        value = answer.response
    if answer.details:
        value = {"details": dict(answer.details)} if value is None else value
    return Exchange(
        method=answer.method,
        request=mask(plain(visible_request(answer)), hide),
        code=answer.code,
        message=mask(message, hide),
        value=mask(plain(value), hide),
        elapsed=max(0.0, round(answer.elapsed, 6)),
    )


def exchange_of(answer: Answer, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return *answer* as it goes into a report, as plain JSON types (for a terminal, or across processes)."""
    return exchange(answer, secrets).model_dump(mode="json")


def exchanges(answers: Iterable[Answer], secrets: Iterable[str] = ()) -> tuple[Exchange, ...]:
    """Return the last of *answers* as they go into a report, oldest first."""
    hide = tuple(secrets)
    return tuple(exchange(answer, hide) for answer in list(answers)[-EXCHANGES:])


def visible_request(answer: Answer) -> Any:
    """Return the request of *answer* without the values of an Init configuration."""
    request: Any = answer.request
    if not is_init(answer.method):
        return request
    if isinstance(request, Mapping):
        table: dict[str, Any] = dict(_table(request))
        config: Any = table.get("config")
        if isinstance(config, Mapping):
            keys = sorted(map(str, _table(config)))
            table["config"] = {"keys": keys, "digest": slow_digest(config)}
        elif config is not None:
            table["config"] = {"digest": slow_digest(config)}
        return table
    return None if request is None else {"bytes": len(canonical(request)), "digest": slow_digest(request)}


def is_init(method: str) -> bool:
    """Whether *method* is Init of any version, with or without its service."""
    return method.rsplit("/", 1)[-1] == "Init"


def mask(value: Any, secrets: Iterable[str]) -> Any:
    """Return *value* (JSON types) with each of *secrets*, longest first, replaced in every text and key."""
    found = tuple(secrets)
    if not found:
        return value
    if isinstance(value, str):
        for secret in found:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {mask(key, found): mask(inner, found) for key, inner in table.items()}
    if isinstance(value, list):
        return [mask(inner, found) for inner in _list(value)]
    return value


def _table(value: Any) -> Mapping[Any, Any]:
    table: Mapping[Any, Any] = value
    return table


def _list(value: Any) -> list[Any]:
    return list(value)


def replay_line(target: str, answer: Answer, good_config: Mapping[str, Any] | None = None) -> str:
    """Return the command line that makes the call of *answer* again.

    The good configuration is left out of an Init: `pytest-nomos call` then takes it from the settings. In any other
    configuration ``{config.KEY}`` stands for the good configuration's value of that key, and what differs from it shows
    its kind only, unless it is empty, null or a truth value.

    Args:
        target: the target as on the command line, or its name.
        answer: the exchange.
        good_config: the Init configuration of the settings.

    Returns:
        The line, quoted for a POSIX shell; empty where the request is not known as JSON.
    """
    request: Any = answer.request
    if request is None:
        request = {}
    if not isinstance(request, Mapping):
        return ""
    arguments = dict(cast("Mapping[str, Any]", request))
    if arguments.keys() == {"args"} and isinstance(arguments["args"], Mapping):
        # A method of a function interface: it is called by its own name.
        arguments = to_json(dict(_table(arguments["args"])))
    if is_init(answer.method):
        arguments = _init_arguments(arguments, good_config or {})
    text = json.dumps(plain(arguments), ensure_ascii=False, separators=(", ", ": "))
    text = _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"pytest-nomos call {shlex.quote(target)} {shlex.quote(answer.method)} {shlex.quote(text)}"


def _init_arguments(arguments: dict[str, Any], good: Mapping[str, Any]) -> dict[str, Any]:
    config = arguments.pop("config", None)
    if config is None or canonical(config) == canonical(good):
        return arguments
    if isinstance(config, Mapping):
        table = cast("Mapping[str, Any]", config)
        arguments["config"] = {key: _hint(key, value, good) for key, value in table.items()}
    else:
        arguments["config"] = _kind(config)
    return arguments


def _hint(key: str, value: Any, good: Mapping[str, Any]) -> Any:
    if key in good and canonical(good[key]) == canonical(value):
        return f"{{config.{key}}}"
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return value
    return _kind(value)


def _kind(value: Any) -> str:
    names: dict[type, str] = {
        str: "text",
        int: "number",
        float: "number",
        bytes: "bytes",
        list: "list",
        tuple: "list",
        dict: "map",
    }
    return next((f"<{name}>" for kind, name in names.items() if isinstance(value, kind)), "<value>")
