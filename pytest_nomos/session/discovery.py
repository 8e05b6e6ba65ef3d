"""Discovery: what an unknown provider tells without knowledge of it, and a first settings file made of that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nomos_contracts.clause import Profile
from nomos_contracts.provider import Answer, RunningProvider
from nomos_contracts.samples import sample_kinds
from nomos_proto.kinds import is_list, is_map
from pytest_nomos.session.pool import TargetRun
from pytest_nomos.session.preview import Preview, look
from pytest_nomos.session.single import open_target
from pytest_nomos.settings import Settings

MOST_VALUES = 24
"""Values of this many paths are taken over as samples; the author prunes or adds."""
_EXACT = 2**53
"""Up to here every whole number is a double of its own."""
_ABSENT = ["nomos-init-no-such-key"]
_NO_VALUE: list[list[str]] = [[]]
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class Discovery:
    """What was found out.

    Attributes:
        target: the target string.
        config: the Init configuration that was tried.
        preview: announcement, Info, Describe.
        story: one line for each thing that was tried.
        init_code: status of Init with the config.
        init_message: its message.
        empty_code: status of Init with an empty config on a process of its own.
        values: paths and values found by Fetch.
        required: keys without which Init refused.
        missing: a path that does not exist, empty where none was found.
        bad_configs: configurations that Init refused as invalid, each with the key at fault.
        unavailable: well-formed configurations that Init refused for want of what they name, each with the key.
        failure: why the provider does not start, empty where it does.
    """

    target: str
    config: dict[str, Any]
    preview: Preview = field(default_factory=lambda: Preview(profile=Profile.STANDARD.value))
    story: list[str] = field(default_factory=list[str])
    init_code: str = ""
    init_message: str = ""
    empty_code: str = ""
    values: list[tuple[list[str], Any]] = field(default_factory=list[tuple[list[str], Any]])
    required: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    bad_configs: list[tuple[dict[str, Any], str]] = field(default_factory=list[tuple[dict[str, Any], str]])
    unavailable: list[tuple[dict[str, Any], str]] = field(default_factory=list[tuple[dict[str, Any], str]])
    failure: str = ""

    @property
    def next_command(self) -> str:
        """What to type next."""
        if self.init_code == "OK":
            return f"pytest-nomos certify {self.target}"
        return f"pytest-nomos init {self.target} --force --config KEY=VALUE"


def discover(target: str, config: dict[str, Any], folder: Path, settings_file: Path) -> Discovery:
    """Start *target* and ask it what it can be asked.

    Args:
        target: the target string.
        config: the Init configuration to try; empty if none is known.
        folder: folder at which relative paths of the command line start.
        settings_file: the file that will be written; sent as the source file, so that relative paths start beside it.

    Raises:
        TargetError: *target* cannot be used.
    """
    settings = Settings.model_validate({"config": config, "path": settings_file})
    found = Discovery(target=target, config=config)
    with open_target(target, settings, folder) as run:
        found.preview = look(run)
        if found.preview.failure:
            found.failure = f"{target} does not start:\n{found.preview.failure}"
            return found
        provider = run.first_start().provider
        assert provider is not None  # noqa: S101 # the preview saw it running
        line = provider.announcement.line.decode(errors="replace")
        found.story.append(
            f"it announces {line!r} after {provider.announcement.after:.2f} s (profile {found.preview.profile})"
        )
        info = found.preview.info
        if info:
            found.story.append(f"Info: type {info.get('type')!r}, version {info.get('version')!r}")
        speaks = "v1 and v2" if found.preview.describe else "v1"
        found.story.append(f"it speaks protocol {speaks}")
        answer = provider.init()
        found.init_code, found.init_message = answer.code, answer.message
        found.story.append(
            f"Init with {json.dumps(sorted(config))} as keys answers {answer.code} {answer.message}".rstrip()
        )
        if answer.ok:
            found.values = list(_values(provider))
            found.story.append(f"Fetch found {len(found.values)} values")
            asked = provider.fetch(_ABSENT)
            if not found.values:
                # What it says of a path that nobody has may be the only word about what its paths look like.
                found.story.append(f"  from its root; Fetch of {_ABSENT} answers {asked.code} {asked.message!r}")
                found.story.append(
                    f"  samples.values asks for some; to try: pytest-nomos call {target} Fetch '[\"name\"]'"
                )
            if asked.code == "NOT_FOUND":
                found.missing = _ABSENT
        _refusals(run, found)
    return found


def _refusals(run: TargetRun, found: Discovery) -> None:
    """Find out what Init refuses, each configuration on a process of its own."""

    def tried(config: dict[str, Any]) -> Answer:
        with run.fresh() as other:
            return other.init(config)

    config = found.config
    found.empty_code = tried({}).code
    for key, value in config.items():
        if tried({name: item for name, item in config.items() if name != key}).code == "INVALID_ARGUMENT":
            found.required.append(key)
        wrong: dict[str, Any] = {**config, key: 5 if isinstance(value, str) else _NO_VALUE}
        answer = tried(wrong)
        if answer.code == "INVALID_ARGUMENT" and key in answer.message:
            found.bad_configs.append((wrong, key))
        if isinstance(value, str):
            absent = {**config, key: f"{value.rstrip('/')}-nomos-init-not-there"}
            answer = tried(absent)
            if answer.code == "FAILED_PRECONDITION":
                found.unavailable.append((absent, key))
    if found.bad_configs or found.unavailable:
        count = len(found.bad_configs) + len(found.unavailable)
        found.story.append(f"Init refused what was made wrong on purpose: {count} samples")


def _values(provider: RunningProvider) -> Iterator[tuple[list[str], Any]]:
    """Walk what Fetch answers from the root, each value asked for again by its own path."""
    todo: list[tuple[list[str], Any]] = []
    for root in (["*"], list[str]()):
        found = provider.fetch(root).value
        if not todo and is_map(found):
            todo = [([key], value) for key, value in found.items()]
    count = 0
    while todo and count < MOST_VALUES:
        path, value = todo.pop(0)
        if is_map(value) and value:
            todo += [([*path, key], item) for key, item in value.items()]
        asked = provider.fetch(path)
        if asked.ok:
            count += 1
            yield path, asked.value


def draft(found: Discovery) -> str:
    """Return the text of a settings file for what was found; what only the author knows stands in comments."""
    info = found.preview.info
    lines = [
        f"# Settings of {found.target} for pytest-nomos, written by `pytest-nomos init`.",
        "# Whatever stands here was seen, not promised: correct it to what the provider is meant to do.",
        'interface = "config"',
        f'profile = "{found.preview.profile}"    # standard: first line PORT=; cli: PROVIDER_PORT=',
        'tier = "testing"    # then "additional", "reference"',
        "",
        "# What Init gets. {here} in a string is the folder of this file.",
        # A table says that Init needs no more than that; nobody has said so.
        "[config]" if found.config or found.init_code == "OK" else "# [config]",
        *(f"{toml_key(key)} = {to_toml(value)}" for key, value in found.config.items()),
    ]
    if found.init_code != "OK":
        lines.append(f"# Init answered {found.init_code}: {found.init_message}".replace("\n", " "))
        lines.append(f"# Give the keys that it needs: {found.next_command}")
    given: dict[str, str] = {}
    if info.get("version"):
        given["version"] = f"version = {to_toml(info['version'])}    # what your build says it is"
    if found.required:
        given["required_keys"] = f"required_keys = {to_toml(found.required)}"
    if found.missing:
        given["missing"] = f"missing = [{to_toml(found.missing)}]    # one path that does not exist"
    kinds = list(sample_kinds("config"))
    lines += ["", "# What only you know. Fill in what your provider has, here or in the tables below.", "[samples]"]
    lines += given.values()
    for kind in kinds:
        if kind.plain and kind.name not in given:
            lines += ["#", f"# {kind.meaning}", *(f"# {line}" for line in kind.lines.splitlines()[1:])]
    tables: dict[str, list[Any]] = {
        "values": found.values,
        "bad_configs": found.bad_configs,
        "unavailable": found.unavailable,
    }
    lines += [
        "",
        "# What it has nothing of, each with your reason. Every kind stands here or under samples, not in both.",
    ]
    lines.append("[declined]")
    for kind in kinds:
        if kind.declinable and kind.name not in given and not tables.get(kind.name):
            lines.append(f'# {kind.name} = "why the provider has nothing of the kind"')
    for kind in kinds:
        if not kind.plain and not tables.get(kind.name):
            lines += ["", f"# {kind.meaning}", *(f"# {line}" for line in kind.lines.splitlines())]
    for name in ("bad_configs", "unavailable"):
        for config, key in tables[name]:
            lines += ["", f"[[samples.{name}]]", f"config = {to_toml(config)}", f"key = {to_toml(key)}"]
    for path, value in found.values:
        lines += ["", "[[samples.values]]", f"path = {to_toml(path)}"]
        lines.append(
            f"json = {to_toml(json.dumps(_whole(value), ensure_ascii=False))}"
            if _has_null(value)
            else f"value = {to_toml(value)}"
        )
    return "\n".join(lines) + "\n"


def _whole(value: Any) -> Any:
    """Return *value* with whole numbers written as such: on the wire every number is a double."""
    if is_map(value):
        return {key: _whole(item) for key, item in value.items()}
    if is_list(value):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT else value


def _has_null(value: Any) -> bool:
    if is_map(value):
        return any(_has_null(item) for item in value.values())
    if is_list(value):
        return any(_has_null(item) for item in value)
    return value is None


def to_toml(value: Any) -> str:
    """Return a JSON value (null excepted) as inline TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # TOML's basic strings take JSON's escapes; DEL alone has to be escaped on top of them.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float() if value.is_integer() and abs(value) <= _EXACT:
            return str(int(value))
        case int() | float():
            return repr(value)
        case _ if is_list(value):
            return "[" + ", ".join(to_toml(item) for item in value) + "]"
        case _ if is_map(value):
            pairs = ", ".join(f"{toml_key(key)} = {to_toml(item)}" for key, item in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            raise ValueError(f"TOML has no {type(value).__name__}")


def toml_key(key: str) -> str:
    """Return a key as TOML has it, in quotes where it needs them."""
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
