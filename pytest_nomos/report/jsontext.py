"""JSON as reports need it: one canonical form to digest, a strict reader, and values that are safe to show."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

SIZE_LIMIT = 64 * 1024 * 1024
TEXT_LIMIT = 2000
ITEM_LIMIT = 100
DEPTH_LIMIT = 24
ROUNDS = 20_000
"""Rounds of PBKDF2 for the digest of settings: a short password in them is soon guessed from a plain SHA-256."""


class JsonTextError(ValueError):
    """A file that holds no usable JSON; the message names the file and what is wrong with it."""


class _Raw(str):
    """A piece of output among the values that are still to be written."""

    __slots__ = ()


def canonical(value: Any) -> bytes:
    """Return *value* (plain JSON types, bytes as base64) as JSON with sorted keys and without blanks.

    Written without recursion: checks send, and providers answer, deeper values than the json module encodes.
    """
    parts: list[str] = []
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, _Raw):
            parts.append(item)
        elif isinstance(item, Mapping):
            table = _table(item)
            pieces: list[Any] = [_Raw("{")]
            for position, key in enumerate(sorted(table, key=str)):
                pieces += [_Raw(("," if position else "") + json.dumps(str(key)) + ":"), table[key]]
            stack.extend(reversed([*pieces, _Raw("}")]))
        elif isinstance(item, list | tuple):
            pieces = [_Raw("[")]
            for position, inner in enumerate(cast("Sequence[Any]", item)):
                pieces += [_Raw("," if position else ""), inner]
            stack.extend(reversed([*pieces, _Raw("]")]))
        elif isinstance(item, bytes | bytearray):
            parts.append(json.dumps(base64.b64encode(item).decode()))
        elif item is None or isinstance(item, bool | int | float | str):
            parts.append(json.dumps(item))
        else:
            parts.append(json.dumps(str(item)))
    return "".join(parts).encode()


def _table(value: Any) -> Mapping[Any, Any]:
    table: Mapping[Any, Any] = value
    return table


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical form of *value*, in hex. Not for values that may hold secrets."""
    return hashlib.sha256(canonical(value)).hexdigest()


def slow_digest(value: Any) -> str:
    """Return a digest of *value*, in hex, that tells equal values apart from others and is slow to guess from."""
    return _slow(canonical(value))


@lru_cache(maxsize=256)
def _slow(text: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", text, b"pytest-nomos settings", ROUNDS).hex()


def clean(text: str) -> str:
    """Return *text* so that it can be encoded, lone surrogates escaped, cut in the middle to TEXT_LIMIT characters."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= TEXT_LIMIT:
        return text
    half = TEXT_LIMIT // 2 - 20
    return f"{text[:half]} … {text[-half:]} ({len(text)})"


def plain(value: Any, depth: int = DEPTH_LIMIT) -> Any:
    """Return *value* as JSON types that can be stored and shown: long texts cut, long and deep collections shortened.

    Bytes become ``{"base64": …}``, dataclasses maps of the fields that they have, numbers that JSON does not know their
    names. Doing it twice changes nothing more.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, bytes | bytearray):
        return {"base64": clean(base64.b64encode(value).decode())}
    if isinstance(value, Mapping):
        table = _table(value)
        if depth == 0:
            return f"… (a map of {len(table)})"
        keys = list(table)[: ITEM_LIMIT if len(table) <= ITEM_LIMIT else ITEM_LIMIT - 1]
        short = {clean(str(key)): plain(table[key], depth - 1) for key in keys}
        if len(keys) < len(table):
            short["…"] = f"{len(table)} keys"
        return short
    if isinstance(value, list | tuple | set | frozenset):
        items: list[Any] = list(cast("Sequence[Any]", value))
        if depth == 0:
            return f"… (a list of {len(items)})"
        if len(items) > ITEM_LIMIT:
            return [*(plain(item, depth - 1) for item in items[: ITEM_LIMIT - 1]), f"… ({len(items)} items)"]
        return [plain(item, depth - 1) for item in items]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return plain({name: item for name, item in pairs if item is not None}, depth)
    return clean(str(value))


def elements(value: object) -> list[Any]:
    """Return the elements of a JSON list, none of anything else."""
    return list(cast("Sequence[Any]", value)) if isinstance(value, list) else []


def read_bytes(path: Path, limit: int = SIZE_LIMIT) -> bytes:
    """Return what is in the regular file *path*.

    Raises:
        JsonTextError: it cannot be read, is no regular file (a FIFO would hang), or holds more than *limit* bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise JsonTextError(f"{path}: cannot be read: {reason}") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise JsonTextError(f"{path}: is no regular file")
        if facts.st_size > limit:
            raise JsonTextError(f"{path}: {facts.st_size} bytes are more than the limit of {limit}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    except OSError as error:
        raise JsonTextError(f"{path}: cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def parse(text: bytes, name: str) -> Any:
    """Parse *text* as strict JSON: UTF-8 without BOM, no key twice, no NaN or Infinity.

    Args:
        text: the bytes.
        name: what to call them in errors.

    Raises:
        JsonTextError: it is anything else.
    """
    if text.startswith(b"\xef\xbb\xbf"):
        raise JsonTextError(f"{name}: starts with a byte order mark; it was not written by this kit or was edited")
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise JsonTextError(f"{name}: is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise JsonTextError(f"{name}: is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise JsonTextError(f"{name}: is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise JsonTextError(f"{name}: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for position, key in enumerate(keys) if key in keys[:position])
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return table


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
