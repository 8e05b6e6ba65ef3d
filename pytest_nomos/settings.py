"""Settings: what the author says about his targets in nomos.toml, or in `[tool.nomos]` of pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nomos_contracts.clause import CONTRACTS_OF, Profile, Tier
from nomos_contracts.provider import FAULT_CODES
from nomos_contracts.samples import sample_kinds, samples_of
from nomos_contracts.verdict import CURRENT_EDITION, edition
from nomos_proto.errors import STATUS_NUMBERS
from pytest_nomos.host.limits import Limits
from pytest_nomos.report.waiver import Waiver

NAMES = ("nomos.toml", "pyproject.toml")
_TWICE = re.compile(r"^Cannot declare (\(.*\)) twice (\(.*\))$")
TargetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.+_-]+$", max_length=64)]


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the file, the place and what to write instead."""


class FromEnvironment(BaseModel):
    """A value that is taken from the environment of the run and never shown; `default` where there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variable: str = Field(alias="from", min_length=1)
    default: str | None = None


Text = str | FromEnvironment


class ChaosSettings(BaseModel):
    """The `[chaos]` table.

    Attributes:
        allowed: status codes with which a call may fail while a fault is in force.
        upstream: path, with dots, of the configuration value that names the server which the provider gets its values
            from (``http://host:port/…`` or ``host:port``); empty: an http:// URL of this machine is looked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed: tuple[str, ...] = tuple(sorted(FAULT_CODES))
    upstream: str = ""

    @field_validator("allowed")
    @classmethod
    def _are_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for code in value:
            if code not in STATUS_NUMBERS or code == "OK":
                raise ValueError(f"{code!r} is no code of a failure, as DEADLINE_EXCEEDED is")
        return value


class TargetSettings(BaseModel):
    """The tables that hold for one target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interface: str = "config"
    profile: Profile | None = None
    tier: Tier | None = None
    capabilities: tuple[str, ...] = ()
    alias: str = Field(default="nomos", min_length=1)
    source_file_path: str | None = None
    config: dict[str, Any] = {}
    samples: dict[str, Any] = {}
    declined: dict[str, str] = {}
    limits: Limits = Limits()
    chaos: ChaosSettings = ChaosSettings()
    env: dict[str, Text] = {}
    metadata: dict[str, Text] = {}

    @field_validator("interface")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in CONTRACTS_OF:
            raise ValueError(f"no contract for interface {value!r}; there are {', '.join(CONTRACTS_OF)}")
        return value

    def typed_samples(self) -> BaseModel:
        """Return the samples as the model of the interface.

        Raises:
            SettingsError: a kind that does not exist, or a sample of the wrong shape.
        """
        try:
            return samples_of(self.interface).model_validate(self.samples)
        except ValidationError as error:
            raise SettingsError(f"samples: {explain(error)}") from error


class NamedTarget(TargetSettings):
    """A `[targets.NAME]` table: a command or a target string, and tables that override the common ones."""

    command: tuple[str, ...] = ()
    target: str = ""


class Settings(TargetSettings):
    """One settings file.

    Attributes:
        path: the file, None where there is none; relative paths start at its folder.
    """

    edition: str = CURRENT_EDITION
    targets: dict[TargetName, NamedTarget] = {}
    waivers: tuple[Waiver, ...] = ()
    path: Path | None = Field(default=None, exclude=True)

    @field_validator("edition")
    @classmethod
    def _exists(cls, value: str) -> str:
        edition(value)
        return value

    @property
    def folder(self) -> Path:
        """Folder at which relative paths start."""
        return self.path.parent if self.path else Path.cwd()

    def of(self, name: str) -> TargetSettings:
        """Return the tables that hold for target *name*: the common ones, overridden key by key by its own."""
        common = {key: getattr(self, key) for key in TargetSettings.model_fields}
        named = self.targets.get(name)
        own = named.model_fields_set & TargetSettings.model_fields.keys() if named else set[str]()
        common |= {key: getattr(named, key) for key in own}
        given = self.model_fields_set & TargetSettings.model_fields.keys()
        return TargetSettings.model_construct(_fields_set=given | own, **common)


def explain(error: ValidationError) -> str:
    """Return the problems of *error* as one line: where, what, and what was found there."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "the table"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: there is no such key")
        else:
            told = problem["msg"].removeprefix("Value error, ")
            # Its reader writes TOML, not Python.
            told = told.replace("valid tuple", "list").replace("valid dictionary", "table")
            lines.append(f"{where}: {told}")
    return "; ".join(lines)


def find_settings(start: Path) -> Path | None:
    """Return the nearest settings file from *start* upwards: nomos.toml, or pyproject.toml with `[tool.nomos]`."""
    for folder in (start, *start.parents):
        if (found := folder / NAMES[0]).is_file():
            return found
        if (found := folder / NAMES[1]).is_file() and b"[tool.nomos" in found.read_bytes():
            return found
    return None


def load_settings(path: Path | None) -> Settings:
    """Read a settings file; None gives the defaults.

    Raises:
        SettingsError: it cannot be read, is no TOML, or holds a key or value that is not allowed.
    """
    if path is None:
        return Settings()
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise SettingsError(f"{path}: its tables or lists are nested too deeply") from error
    except (OSError, ValueError) as error:  # tomllib lets that of a number with thousands of digits through as it is
        raise SettingsError(f"{path}: {_TWICE.sub(_twice, str(error))}") from error
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("nomos", {})
    return parse_settings(table, path)


def _twice(found: re.Match[str]) -> str:
    table = ".".join(re.findall(r"'([^']*)'", found[1]))
    return f"[{table}] stands there twice {found[2]}: put all keys of the table below the first"


def parse_settings(table: Mapping[str, Any], path: Path) -> Settings:
    """Validate the tables of the settings file *path*.

    Raises:
        SettingsError: a key or value is not allowed; a sample kind was declined that cannot be, or is not known.
    """
    if "path" in table:
        raise SettingsError(f"{path}: path: there is no such key")
    try:
        settings = Settings.model_validate({**table, "path": path.resolve()})
        for name in ("", *settings.targets):
            chosen = settings.of(name)
            chosen.typed_samples()
            _check_declined(chosen)
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error)}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    return settings


def _check_declined(settings: TargetSettings) -> None:
    kinds = {kind.name: kind for kind in sample_kinds(settings.interface)}
    for name, reason in settings.declined.items():
        if name not in kinds:
            raise SettingsError(f"declined.{name}: there is no such kind of sample; there are {', '.join(kinds)}")
        if not kinds[name].declinable:
            raise SettingsError(f"declined.{name}: every provider has this; give samples instead")
        if not reason.strip():
            raise SettingsError(f"declined.{name}: say in a sentence why the provider has nothing of the kind")


def resolve_text(value: Text, place: str) -> str:
    """Return *value*, read from the environment where it says so.

    Raises:
        SettingsError: the variable is not set, and nothing stands for it; *place* says where it was asked for.
    """
    if isinstance(value, str):
        return value
    found = os.environ.get(value.variable, value.default)
    if found is None:
        raise SettingsError(f"{place}: the environment variable {value.variable} is not set")
    return found


def fill_in(value: Any, places: Mapping[str, Callable[[], str]]) -> Any:
    """Return *value* with each of *places* (`{here}`) in its strings replaced; texts are asked for when needed."""
    if isinstance(value, str):
        for place, text in places.items():
            if place in value:
                value = value.replace(place, text())
        return value
    if isinstance(value, Mapping):
        return {str(key): fill_in(item, places) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # JSON
    if isinstance(value, list | tuple):
        return [fill_in(item, places) for item in value]  # pyright: ignore[reportUnknownVariableType] # JSON
    return value
