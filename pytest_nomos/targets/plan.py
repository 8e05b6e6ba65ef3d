"""A target string, understood: what to start or to reach, and which settings hold for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nomos_contracts.clause import Profile, Tier, contracts_of
from nomos_contracts.samples import samples_of
from nomos_proto.kinds import is_map
from pytest_nomos.host.limits import Limits
from pytest_nomos.settings import Settings, TargetSettings, fill_in, load_settings, resolve_text
from pytest_nomos.sweep.custody import Custody
from pytest_nomos.targets.objects import CONFIG, absence, broken_entry_points, registered
from pytest_nomos.targets.reach import capabilities_of, original_of, program_of, reach_of
from pytest_nomos.targets.surroundings import Surroundings
from pytest_nomos.targets.ways import Make, Reach, TargetError, Transport

__all__ = ["TargetError", "TargetPlan", "plan_targets", "registered"]

_UNFIT = re.compile(r"[^A-Za-z0-9.+_-]+")
_BUILT_IN = ("registered:", "mutant:")

_SERVING = ("nomos_reference", "nomos_contracts", "nomos_mutants")
_MUTATED: Mapping[str, str] = {"compute": "memory", "registry": "memory"}
"""Interface to the provider of which its mutants are made."""

MUTANT_LIMITS = Limits(
    announce=2.0,
    connect_timeout=1.5,
    call=6.0,
    grace=2.0,
    shutdown_rpc=2.0,
    schedule_shrink=0.5,
    schedule_replays=1,
    spellings=250,
    storms=2,
    load_operations=8_000,
    settle=1.5,
    boot=3.0,
)
"""Limits that mutants run into: short, so that each of their defects costs seconds only."""

ON_ENGINES = "compute/orbstack"
"""The registered provider whose instances outlive its process."""

_SPELT = ("CFG-PATH-", "CFG-FETCH-004")
"""Clauses whose mutants hear every spelling: one of them may be found by a single one."""

_STORMED = ("CFG-CHAOS-011",)
"""Clauses whose mutants meet every pair of faults."""


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
        upstream: starts the server that `{upstream}` in the settings of a built-in target stands for, and returns its
            URL; None for the targets of an author.
        cloud: the same for `{cloud}`, the vendor of the memory provider; returns its host and port.
        transport: how checks reach it.
        make: makes the provider object of its configuration, None for what is reached over the wire.
        custody: keeps what the target makes outside of this process; None for nobody.
        twin: name of the plan of the same target over the other transport, empty where there is none.
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
    upstream: Callable[[], str] | None = None
    cloud: Callable[[], str] | None = None
    transport: Transport = "wire"
    make: Make | None = None
    twin: str = ""
    custody: Custody | None = None

    @property
    def interface(self) -> str:
        """The interface that the target implements."""
        return self.settings.interface

    @property
    def limits(self) -> Limits:
        """The limits that hold for it."""
        return self.settings.limits

    @property
    def is_function_interface(self) -> bool:
        """Whether the interface is one of methods: its checks see a `nomos_contracts.provider.InterfaceProvider`."""
        return self.interface != CONFIG

    @property
    def served_by(self) -> str:
        """The module of ours that serves the provider object of a function interface, empty for other programs."""
        words = self.command[:3]
        ours = words[:2] == (sys.executable, "-m") and words[2] in _SERVING
        return words[2] if ours and self.is_function_interface else ""

    @property
    def is_program(self) -> bool:
        """Whether it is a program of its author's, which is started here: not one of ours around an object of his."""
        return bool(self.command) and not self.served_by

    @property
    def contracts(self) -> tuple[str, ...]:
        """The interfaces whose clauses are due for it."""
        return contracts_of(self.interface, program=self.is_program)

    def good_config(self, profile: Profile) -> dict[str, Any]:
        """Return the Init configuration as a caller of *profile* sends it: `cli` sends every scalar as a string."""
        config: dict[str, Any] = self._filled(self.settings.config)
        return _stringify(config) if profile is Profile.CLI else config

    @property
    def lacks_config(self) -> bool:
        """Whether nobody said what Init gets: there is no ``[config]``, not even an empty one."""
        return not self.is_function_interface and "config" not in self.settings.model_fields_set

    @property
    def source_file_path(self) -> str:
        """The file that declares the provider: as set, else the settings file, else empty."""
        written = self.settings.source_file_path
        if written is not None:
            return str((self.folder / written).resolve()) if written else ""
        return str(self.source) if self.source else ""

    def samples(self) -> BaseModel:
        """Return the samples of the interface, filled in; a relative source file starts at the settings file."""
        filled = self._filled(self.settings.samples)
        for name, sample in filled.items():
            if is_map(sample) and isinstance(source := sample.get("source_file_path"), str) and source:
                filled[name] = {**sample, "source_file_path": str((self.folder / source).resolve())}
        return samples_of(self.interface).model_validate(filled)

    def _filled(self, table: Mapping[str, Any]) -> dict[str, Any]:
        places: dict[str, Callable[[], str]] = {"{here}": lambda: str(self.folder)}
        if self.custody is not None:
            places |= self.custody.places
        if self.upstream is not None:
            places["{upstream}"] = self.upstream
        if self.cloud is not None:
            places["{cloud}"] = self.cloud
        filled: dict[str, Any] = fill_in(table, places)
        return filled

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


def plan_targets(
    specs: Iterable[str],
    settings: Settings,
    invoked_in: Path,
    surroundings: Surroundings,
    *,
    tier: Tier | None = None,
    transports: Sequence[Transport] = (),
) -> tuple[TargetPlan, ...]:
    """Understand target strings.

    Args:
        specs: what the user wrote, in his order.
        settings: the settings file found from *invoked_in* upwards.
        invoked_in: folder at which relative paths of the command line start.
        surroundings: what built-in targets need beside them is made there; it outlives the plans.
        tier: the tier asked for on the command line; else the settings', else `additional`.
        transports: those asked for on the command line; else in process where a target can be, else over the wire.

    Raises:
        TargetError: a string is no target, its file is not there, a name stands twice, or a target cannot be reached
            over any of *transports*.
        SettingsError: the settings that come with a built-in target are broken.
    """
    plans: list[TargetPlan] = []
    for spec, one_of_all in _expand(specs, surroundings):
        plan, reach = _plan(spec, settings, invoked_in, surroundings, one_of_all=one_of_all)
        custody = surroundings.custody
        plan = replace(plan, tier=tier or plan.settings.tier or Tier.ADDITIONAL, custody=custody)
        if reach.command[-1:] == (ON_ENGINES,):
            custody.watch(partial(plan.good_config, Profile.STANDARD))
        asked = transports or reach.transports[:1]
        chosen: list[Transport] = [transport for transport in asked if transport in reach.transports]
        if not chosen and not one_of_all:
            raise TargetError(f"{spec}: this target can only be reached {_WORDS[reach.transports[0]]}")
        plans.extend(_over(plan, reach, chosen))
    return tuple(_unique(plans))


_WORDS: Mapping[Transport, str] = {"inproc": "in process: --nomos-transport=inproc", "wire": "over the wire"}


def _over(plan: TargetPlan, reach: Reach, transports: Sequence[Transport]) -> Iterator[TargetPlan]:
    for transport in transports:
        way = reach.over(transport)
        yield replace(plan, transport=transport, command=way.command, address=way.address, make=way.make)


def _unique(plans: Iterable[TargetPlan]) -> Iterator[TargetPlan]:
    """Yield plans under names of their own; two transports of one target are ``NAME`` and ``NAME+wire``."""
    names: dict[str, int] = {}
    found: list[TargetPlan] = []
    for plan in plans:
        before = found[-1] if found else None
        if before is not None and not before.twin and _twins(before, plan):
            name = f"{before.name}+{plan.transport}"
            found[-1] = replace(before, twin=name)
            found.append(replace(plan, name=name, twin=before.name))
            continue
        seen = names[plan.name] = names.get(plan.name, 0) + 1
        found.append(plan if seen == 1 else replace(plan, name=f"{plan.name}-{seen}"))
    yield from found


def _twins(one: TargetPlan, other: TargetPlan) -> bool:
    return one.spec == other.spec and one.transport != other.transport


def _expand(specs: Iterable[str], surroundings: Surroundings) -> Iterator[tuple[str, bool]]:
    """Yield each target, and whether it is one of `all`: every registered provider that can work here."""
    for spec in specs:
        if spec == "all":
            surroundings.left_out |= broken_entry_points(surroundings.registry)
            for name in registered(surroundings.registry):
                if reason := absence(name):
                    surroundings.left_out[f"registered:{name}"] = reason
                else:
                    yield f"registered:{name}", True
        else:
            yield spec, False


def _plan(
    spec: str, settings: Settings, invoked_in: Path, surroundings: Surroundings, *, one_of_all: bool
) -> tuple[TargetPlan, Reach]:
    name = _UNFIT.sub("-", spec.removeprefix("./")).strip("-") or "target"
    if spec in settings.targets:
        named = settings.targets[spec]
        if bool(named.command) == bool(named.target):
            raise TargetError(f"targets.{spec}: give either `command` or `target`")
        chosen = settings.of(spec)
        reach = (
            program_of(named.command, settings.folder, f"targets.{spec}.command")
            if named.command
            else reach_of(named.target, settings.folder, surroundings, chosen.interface)
        )
        _same_interface(spec, reach, chosen)
        return _make(spec, spec, reach, settings), reach
    reach = reach_of(spec, invoked_in, surroundings, settings.interface)
    upstream = cloud = None
    if spec.startswith(_BUILT_IN):
        shipped = _shipped_settings(spec, surroundings, reach.interface)
        told = settings.model_fields_set - {"path", "tier", "profile", "limits"}
        # What an author tells of his provider says nothing of a mutant, nor of each that `all` stands for.
        apart = spec.startswith("mutant:") or (one_of_all and shipped.path is not None)
        if apart or not told or (reach.interface and reach.interface != settings.interface):
            upstream, cloud = surroundings.upstream, surroundings.cloud
            common = {key: getattr(settings, key) for key in settings.model_fields_set & {"tier", "profile", "limits"}}
            settings = shipped.model_copy(update=common)
    if reach.subject and not spec.startswith(_BUILT_IN):
        name = _UNFIT.sub("-", Path(spec).name)
    return replace(_make(name, spec, reach, settings), upstream=upstream, cloud=cloud), reach


def _same_interface(spec: str, reach: Reach, settings: TargetSettings) -> None:
    if reach.interface and reach.interface != settings.interface:
        raise TargetError(
            f'targets.{spec}: the target implements {reach.interface}; write interface = "{reach.interface}"'
        )


def _make(name: str, spec: str, reach: Reach, settings: Settings) -> TargetPlan:
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


def _shipped_settings(spec: str, surroundings: Surroundings, interface: str) -> Settings:
    """Return the settings that come with a built-in target: data of its own, samples of every kind.

    A registered provider of another package has none and gets the defaults of its interface.
    """
    kind, _, rest = spec.partition(":")
    folder = surroundings.data()
    provider = rest.partition("/")[2] if kind == "registered" else _MUTATED.get(interface) or original_of(rest)
    path = folder / (f"{provider}.toml" if interface in {CONFIG, ""} else f"{interface}-{provider}.toml")
    if not path.is_file():
        return Settings(interface=interface or CONFIG)
    shipped = load_settings(path)
    if kind == "registered":
        return shipped
    if interface not in {CONFIG, ""} or provider != "files":
        return shipped.model_copy(update={"limits": MUTANT_LIMITS})
    config = {"directory": "{here}/data", "max_depth": 64}
    samples = {**shipped.samples, "degraded": {"config": {**config, "overlay": "{here}/nowhere"}}}
    declined = {name: reason for name, reason in shipped.declined.items() if name != "degraded"}
    whole = {"spellings": _SPELT, "storms": _STORMED}
    update = {name: getattr(Limits(), name) for name, clauses in whole.items() if rest.startswith(clauses)}
    limits = MUTANT_LIMITS.model_copy(update=update)
    changes: dict[str, Any] = {"limits": limits, "config": config, "samples": samples, "declined": declined}
    changes["capabilities"] = capabilities_of(rest)
    return shipped.model_copy(update=changes)
