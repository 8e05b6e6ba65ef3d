"""A target string, understood: what to start or to reach, and which settings hold for it."""

from __future__ import annotations

import atexit
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nomos_contracts.clause import Profile, Tier
from nomos_contracts.samples import SAMPLES_OF
from pytest_nomos.host.limits import Limits
from pytest_nomos.settings import Settings, SettingsError, TargetSettings, fill_in, load_settings, resolve_text
from pytest_nomos.targets.conformance import conformance_folder

_UNFIT = re.compile(r"[^A-Za-z0-9.+_-]+")
_BUILT_IN = ("registered:", "mutant:")

MUTANT_LIMITS = Limits(
    announce=2.0, connect_timeout=1.5, grace=2.0, shutdown_rpc=2.0, schedule_shrink=0.5, schedule_replays=1
)
"""Limits that mutants run into: short, so that each of their defects costs seconds only."""


class TargetError(ValueError):
    """A target string that cannot be used; the message says what to write instead."""


@dataclass(frozen=True)
class TargetPlan:
    """What one run needs to know of one target.

    Attributes:
        name: unique name of letters, digits and ``. + - _``; the last part of test ids.
        spec: the target as it was written.
        command: program and arguments; empty for a target that already runs.
        address: ``host:port`` or ``unix:/path`` of a target that already runs, else empty.
        subject: file or folder whose digest identifies the provider, None where there is none.
        settings: the tables that hold for it.
        folder: where relative paths of the settings start.
        profile: the profile that the settings claim, None where they claim none.
        tier: the tier of the run.
        source: the settings file, None where there is none.
    """

    name: str
    spec: str
    command: tuple[str, ...]
    address: str
    subject: Path | None
    settings: TargetSettings
    folder: Path
    profile: Profile | None
    tier: Tier
    source: Path | None

    @property
    def interface(self) -> str:
        """The interface that the target implements."""
        return self.settings.interface

    @property
    def limits(self) -> Limits:
        """The limits that hold for it."""
        return self.settings.limits

    def good_config(self, profile: Profile) -> dict[str, Any]:
        """Return the Init configuration as a caller of *profile* sends it: `cli` sends every scalar as a string."""
        config: dict[str, Any] = fill_in(self.settings.config, self.folder)
        return _stringify(config) if profile is Profile.CLI else config

    @property
    def source_file_path(self) -> str:
        """The file that declares the provider: as set, else the settings file, else empty."""
        written = self.settings.source_file_path
        if written is not None:
            return str((self.folder / written).resolve()) if written else ""
        return str(self.source) if self.source else ""

    def samples(self) -> BaseModel:
        """Return the samples of the interface, `{here}` in their configurations filled in."""
        filled = fill_in(self.settings.samples, self.folder)
        return SAMPLES_OF[self.interface].model_validate(filled)

    def environment(self) -> dict[str, str]:
        """Return the variables that the settings declare, by name.

        Raises:
            SettingsError: a value is to come from a variable that is not set.
        """
        return {name: resolve_text(value, f"env.{name}") for name, value in self.settings.env.items()}

    def metadata(self) -> dict[str, str]:
        """Return the call metadata that the settings declare, by key.

        Raises:
            SettingsError: a value is to come from a variable that is not set.
        """
        return {name: resolve_text(value, f"metadata.{name}") for name, value in self.settings.metadata.items()}


def _stringify(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case dict():
            return {str(key): _stringify(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # JSON
        case list():
            return [_stringify(item) for item in value]  # pyright: ignore[reportUnknownVariableType] # JSON
        case _:
            return value


@dataclass(frozen=True)
class _Reach:
    command: tuple[str, ...] = ()
    address: str = ""
    subject: Path | None = None


def plan_targets(
    specs: Iterable[str], settings: Settings, invoked_in: Path, *, tier: Tier | None = None
) -> tuple[TargetPlan, ...]:
    """Understand target strings.

    Args:
        specs: what the user wrote, in his order.
        settings: the settings file found from *invoked_in* upwards.
        invoked_in: folder at which relative paths of the command line start.
        tier: the tier asked for on the command line; else the settings', else `additional`.

    Raises:
        TargetError: a string is no target, its file is not there, or a name stands twice.
        SettingsError: the settings that come with a built-in target are broken.
    """
    plans: list[TargetPlan] = []
    for spec in _expand(specs):
        plan = _plan(spec, settings, invoked_in)
        plans.append(replace(plan, tier=tier or plan.settings.tier or Tier.ADDITIONAL))
    names: dict[str, int] = {}
    unique: list[TargetPlan] = []
    for plan in plans:
        seen = names[plan.name] = names.get(plan.name, 0) + 1
        unique.append(plan if seen == 1 else replace(plan, name=f"{plan.name}-{seen}"))
    return tuple(unique)


def _expand(specs: Iterable[str]) -> Iterable[str]:
    for spec in specs:
        if spec == "all":
            yield from (f"registered:{name}" for name in registered())
        else:
            yield spec


def registered() -> tuple[str, ...]:
    """Return the names of the registered providers, for instance ``config/files``."""
    from nomos_reference import PROVIDERS

    return tuple(PROVIDERS)


def _plan(spec: str, settings: Settings, invoked_in: Path) -> TargetPlan:
    name = _UNFIT.sub("-", spec.removeprefix("./")).strip("-") or "target"
    if spec in settings.targets:
        named = settings.targets[spec]
        if bool(named.command) == bool(named.target):
            raise TargetError(f"targets.{spec}: give either `command` or `target`")
        reach = (
            _program(named.command, settings.folder, f"targets.{spec}.command")
            if named.command
            else _reach(named.target, settings.folder)
        )
        return _make(spec, spec, reach, settings)
    reach = _reach(spec, invoked_in)
    if spec.startswith(_BUILT_IN) and not settings.model_fields_set - {"path", "tier", "profile", "limits"}:
        shipped = _shipped_settings(spec)
        common = {key: getattr(settings, key) for key in settings.model_fields_set & {"tier", "profile", "limits"}}
        settings = shipped.model_copy(update=common)
    return _make(
        _UNFIT.sub("-", Path(spec).name) if reach.subject and not spec.startswith(_BUILT_IN) else name,
        spec,
        reach,
        settings,
    )


def _make(name: str, spec: str, reach: _Reach, settings: Settings) -> TargetPlan:
    chosen = settings.of(spec)
    return TargetPlan(
        name=name,
        spec=spec,
        command=reach.command,
        address=reach.address,
        subject=reach.subject,
        settings=chosen,
        folder=settings.folder,
        profile=chosen.profile,
        tier=chosen.tier or Tier.ADDITIONAL,
        source=settings.path,
    )


def _reach(spec: str, folder: Path) -> _Reach:
    kind, _, rest = spec.partition(":")
    makers: Mapping[str, Any] = {
        "exec": lambda: _program(shlex.split(rest), folder, spec),
        "python": lambda: _python(rest, folder),
        "grpc": lambda: _Reach(address=_host_and_port(rest)),
        "unix": lambda: _Reach(address=f"unix:{Path(rest).absolute()}"),
        "registered": lambda: _registered(rest),
        "mutant": lambda: _mutant(rest),
    }
    if spec.startswith(("./", "../", "/", "~")) or (kind not in makers and (folder / spec).is_file() and "/" in spec):
        return _program((spec,), folder, spec)
    if kind in makers and rest:
        reach: _Reach = makers[kind]()
        return reach
    if kind == "get":
        raise TargetError(f"{spec}: downloads are not part of this release; give the path of the binary")
    hint = f"; write ./{spec} for the file in this folder" if (folder / spec).exists() else ""
    raise TargetError(
        f"{spec}: this is no target{hint}. A target is a path (./provider), a name of a [targets.NAME] table, "
        "exec:COMMAND, python:package.module:factory, grpc:HOST:PORT, unix:/PATH, registered:config/files, "
        "mutant:CLAUSE or all"
    )


def _program(command: Iterable[str], folder: Path, place: str) -> _Reach:
    words = tuple(command)
    if not words:
        raise TargetError(f"{place}: there is no program to start")
    program = Path(words[0]).expanduser()
    if "/" in words[0] or words[0].startswith("~"):
        program = (folder / program).absolute()
        if not program.exists():
            raise TargetError(f"{place}: there is no file {program}; build the provider first, or correct the path")
        if program.is_dir():
            raise TargetError(f"{place}: {program} is a folder; give the program in it")
        return _Reach(command=(str(program), *words[1:]), subject=program)
    found = shutil.which(words[0])
    if found is None:
        raise TargetError(f"{place}: there is no program {words[0]} on PATH")
    return _Reach(command=(found, *words[1:]), subject=Path(found))


def _python(rest: str, folder: Path) -> _Reach:
    module, _, factory = rest.partition(":")
    if not factory or not all(part.isidentifier() for part in (*module.split("."), *factory.split("."))):
        raise TargetError(f"python:{rest}: write python:package.module:factory")
    return _Reach(command=(sys.executable, "-m", "nomos_proto", f"{module}:{factory}", "--path", str(folder)))


def _host_and_port(rest: str) -> str:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise TargetError(f"grpc:{rest}: write grpc:HOST:PORT, for instance grpc:127.0.0.1:50051")
    return rest


def _registered(rest: str) -> _Reach:
    if rest not in registered():
        raise TargetError(f"registered:{rest}: there is no such provider; there are {', '.join(registered())}")
    return _Reach(command=(sys.executable, "-m", "nomos_reference", rest), subject=_package("nomos_reference"))


def _mutant(rest: str) -> _Reach:
    from nomos_mutants import MutantError, find

    try:
        made = find(rest)
    except MutantError as error:
        raise TargetError(f"mutant:{rest}: {error}") from error
    if not made.mode:
        return _Reach(command=(sys.executable, "-m", "nomos_mutants", made.name), subject=_package("nomos_mutants"))
    # The defect is in the file, so there has to be one.
    folder = Path(tempfile.mkdtemp(prefix="nomos-mutant-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "provider"
    file.write_bytes(made.program)
    file.chmod(made.mode)
    return _Reach(command=(str(file),), subject=file)


def _package(name: str) -> Path:
    return Path(str(resources.files(name)))


def _shipped_settings(spec: str) -> Settings:
    """Return the settings that come with a built-in target: data of its own, samples of every kind."""
    kind, _, rest = spec.partition(":")
    folder = conformance_folder()
    stem = rest.partition("/")[2] if kind == "registered" else "files"
    path = folder / f"{stem}.toml"
    if not path.is_file():
        raise SettingsError(f"{spec}: no settings come with it")
    shipped = load_settings(path)
    if kind == "registered":
        return shipped
    config = {"directory": "{here}/data", "max_depth": 64}
    samples = {**shipped.samples, "degraded": {"config": {**config, "overlay": "{here}/nowhere"}}}
    declined = {name: reason for name, reason in shipped.declined.items() if name != "degraded"}
    changes = {"limits": MUTANT_LIMITS, "config": config, "samples": samples, "declined": declined}
    return shipped.model_copy(update=changes)
