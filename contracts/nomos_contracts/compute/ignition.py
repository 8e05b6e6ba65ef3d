"""Documents as Ignition reads them, and the units that systemd starts then."""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from nomos_contracts.compute.plans import PLAIN_MODE, Plan, ScriptError, absolute, unzipped
from nomos_proto.kinds import is_map, is_sequence

IGNITION_KEYS: Final = frozenset({"ignition", "kernelArguments", "passwd", "storage", "systemd"})
UNIT: Final = re.compile(r"[\w.@:\\-]+\.(service|timer|socket|mount|path|target)")
INSTALLED: Final = re.compile(r"(?m)^\s*(WantedBy|RequiredBy|UpheldBy|Alias)\s*=\s*\S")


def read_ignition(content: str) -> Plan:
    """Return what Ignition writes, and what the units run that are started.

    Raises:
        ScriptError: it would refuse the document.
    """
    try:
        # What is half of a character becomes U+FFFD, as in Go.
        document = json.loads(content, object_pairs_hook=_whole)
    except ValueError as error:
        raise ScriptError(f"it is no JSON: {error}") from error
    except RecursionError as error:
        raise ScriptError("it is no JSON that can be read: it is nested too deeply") from error
    version = _map(document, "ignition").get("version") if is_map(document) else ""
    if not re.fullmatch(r"(2|3)\.\d+\.0", str(version)):
        raise ScriptError("ignition.version is a version of its specification, for instance 3.3.0")
    unknown = sorted(set(document) - IGNITION_KEYS)
    if unknown:
        raise ScriptError(f"Ignition knows no key {unknown[0]!r}")
    storage = _map(document, "storage")
    written = list(_files(storage))
    files = {path: data for path, data, _ in written}
    others = [str(one.get("path")) for one in _maps(storage, "links")]
    others += [f"{path} {data.decode(errors='replace')}" for path, data, _ in written]
    commands = _commands(list(_maps(_map(document, "systemd"), "units")), others)
    return Plan(files, tuple(commands), {path: mode for path, _, mode in written if mode != PLAIN_MODE})


def _whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {_joined(key): _joined(value) if isinstance(value, str) else value for key, value in pairs}


def _joined(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _map(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the map at *key*; null is as if it were not there."""
    found = document.get(key)
    if found is not None and not is_map(found):
        raise ScriptError(f"{key} is a map")
    return found or {}


def _maps(document: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the maps of the list at *key*; null is as if it were not there."""
    found = document.get(key)
    if found is not None and not is_sequence(found):
        raise ScriptError(f"{key} is a list")
    for one in found or ():
        if not is_map(one):
            raise ScriptError(f"each of {key} is a map")
        yield one


def _files(storage: Mapping[str, Any]) -> Iterator[tuple[str, bytes, int]]:
    """Yield path, content and mode of each file whose content stands in the document."""
    for one in _maps(storage, "files"):
        path = absolute(one.get("path"), "files")
        mode = PLAIN_MODE if one.get("mode") is None else one["mode"]
        if not isinstance(mode, int) or not 0 <= mode <= 0o7777:  # bits
            raise ScriptError(f"the mode of {path} is a number")
        appended = [] if isinstance(one.get("append"), bool) else list(_maps(one, "append"))
        parts = [_resource(part, path) for part in (_map(one, "contents"), *appended)]
        if None not in parts:
            yield path, b"".join(part for part in parts if part is not None), mode


def _resource(part: Mapping[str, Any], path: str) -> bytes | None:
    """Return a content; None where it is fetched."""
    source = "data:," if part.get("source") is None else part["source"]
    if isinstance(source, str) and re.match(r"(https?|tftp|s3|gs|arn)://|arn:", source):
        return None
    if not isinstance(source, str) or not source.startswith("data:"):
        raise ScriptError(f"the source of {path} is a data URL or one to fetch")
    data = _inline(source, path)
    return unzipped(data, f"the content of {path}") if part.get("compression") == "gzip" else data


def _inline(source: str, path: str) -> bytes:
    """Return the data of a data URL, by RFC 2397 as strictly as Ignition's reader."""
    head, _, data = source[5:].partition(",")
    if not data.isascii() or re.search("%(?![0-9A-Fa-f]{2})", data):
        raise ScriptError(f"the data URL of {path} has to be percent-encoded, each % in it too")
    plain = unquote_to_bytes(data)
    if not head.endswith(";base64"):
        return plain
    try:
        return b64decode(re.sub(rb"[\r\n]", b"", plain), validate=True)
    except ValueError as error:
        raise ScriptError(f"the data URL of {path} is not base64: {error}") from error


def _commands(units: list[Mapping[str, Any]], others: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield what the units run that are started; *others* are texts that may start a unit by its name."""
    for one in units:
        if not isinstance(one.get("name"), str) or not UNIT.fullmatch(one["name"]):
            raise ScriptError("each unit has a name that systemd knows")
    for one in units:
        commands = [
            _words(line.removeprefix("ExecStart=").lstrip("@-:+!"), one["name"])
            for line in _text(one).split("\n")
            if line.startswith("ExecStart=")
        ]
        if _starts(one, [other for other in units if other is not one], others):
            yield from (command for command in commands if command)


def _words(line: str, name: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ScriptError(f"systemd cannot read the command of {name}: {error}") from error
    if any("\0" in word for word in words):
        raise ScriptError(f"the command of {name} holds a NUL character")
    return words


def _text(unit: Mapping[str, Any]) -> str:
    """Return the contents of a unit with those of its drop-ins."""
    parts = [unit, *_maps(unit, "dropins")]
    return "\n".join(str(part["contents"]) for part in parts if part.get("contents") is not None)


def _starts(unit: Mapping[str, Any], units: list[Mapping[str, Any]], others: list[str]) -> bool:
    """Whether systemd starts a unit: it is enabled and says for what, or something else may want it.

    Without `enabled` Ignition leaves a unit to the presets, which disable what they do not know.
    """
    name = str(unit["name"])
    if unit.get("mask") is True:
        return False
    if _enabled(unit) and INSTALLED.search(_text(unit)):
        return True
    stem, template = name.rpartition(".")[0], name.partition("@")[0] + "@"
    wants = (other for other in units if name in _text(other) or (_enabled(other) and _akin(other, stem, template)))
    return next(wants, None) is not None or any(name in text for text in others)


def _enabled(unit: Mapping[str, Any]) -> bool:
    return unit.get("enabled") is True or unit.get("enable") is True


def _akin(other: Mapping[str, Any], stem: str, template: str) -> bool:
    """Whether *other* is a timer, path or socket of the same name, or an instance of the template."""
    return str(other["name"]).rpartition(".")[0] == stem or str(other["name"]).startswith(template)
