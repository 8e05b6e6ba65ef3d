"""Malformed arguments: what a caller of another version or language may send."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Fleet, bootstrap, expect_failure, fleet_of
from nomos_contracts.compute.interface import (
    INTERFACE,
    BootstrapConfig,
    BootstrapFeature,
    CreateSnapshotOptions,
    FeatureName,
    HeartbeatExpectations,
    HeartbeatTask,
    InstanceStatus,
    ListFilter,
    SpotOptions,
    TaskPriority,
    TaskType,
)
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.shape import FAR
from nomos_contracts.compute.snapshots import outcome
from nomos_contracts.contract import Contract
from nomos_contracts.examples import example, spoilt
from nomos_contracts.faces import WireFace
from nomos_contracts.functions import Method
from nomos_contracts.hints import Hint, choices_of, fields_of, is_record
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import NotApplicable
from nomos_proto.kinds import is_list, is_map
from nomos_proto.values import KINDLESS

GATES: Final[Mapping[str, str]] = {
    "region": "multi_region",
    "spot": "spot",
    "max_spot_price": "spot",
    "snapshot_id": "snapshots",
    "volume_id": "persistent_volumes",
    "network_config": "custom_networking",
}
"""Arguments and fields that a provider without the flag may refuse before it looks at them."""


def good_arguments(fleet: Fleet) -> Iterator[tuple[Method, Mapping[str, Any]]]:
    """Yield calls whose arguments every provider takes: methods, and arguments in their plain form."""
    tags = {"a": "b"}
    wanted = ListFilter((InstanceStatus.RUNNING,), spec=fleet.samples.spec, tags=tags, limit=3, include_terminated=True)
    made = fleet.spawn().id
    calls: list[tuple[str, dict[str, Any]]] = [
        ("spawn", {"options": fleet.options(tags=tags)}),
        ("list", {"filter": wanted}),
        ("get", {"provider_id": made}),
        ("generate_bootstrap", {"cfg": _script(fleet)}),
    ]
    if fleet.provider.offers("on_heartbeat"):
        task = HeartbeatTask(TaskType.HEALTH_CHECK, TaskPriority.HIGH, 1, {"a": "b"})
        calls.append(("on_heartbeat", {"expectations": HeartbeatExpectations((task,), FAR)}))
    if "snapshots" in fleet.provider.capabilities:
        calls.append(("get_snapshot_status", {"request_id": made}))
        calls.append(("delete_snapshot", {"snapshot_id": made}))
        calls.append(("get_snapshot_by_name", {"name": fleet.name()}))
        calls.append(("create_snapshot", {"provider_id": made, "options": CreateSnapshotOptions(f"n-{fleet.name()}")}))
    if "spot" in fleet.provider.capabilities:
        calls.append(("get_spot_prices", {"spec": fleet.samples.spec}))
        calls.append(("cancel_spot_request", {"request_id": made}))
        calls.append(("request_spot_instance", {"options": SpotOptions(fleet.options(), max_spot_price=1000.0)}))
    calls.append(("terminate", {"provider_id": made}))
    for name, arguments in calls:
        method = INTERFACE.methods[name]
        yield method, method.plain(arguments)


def _script(fleet: Fleet) -> BootstrapConfig:
    """Return what a script is made of, with a feature if it can be set up."""
    plain = bootstrap(init_script="true\n", environment={"A": "b"})
    more = replace(plain, features=(BootstrapFeature(FeatureName.DOCKER, config={"a": "b"}),))
    return more if fleet.provider.invoke("generate_bootstrap", cfg=more).ok else plain


def malformed(
    method: Method, plain: Mapping[str, Any], gated: Collection[str] = ()
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (place, what is wrong there, all arguments) for each way in which *plain* can be made wrong.

    Args:
        method: what is called.
        plain: good arguments.
        gated: arguments and fields that are left out where *plain* has none.
    """
    yield "unknown_argument", "an unknown argument", {**plain, "unknown_argument": 1}
    seen: set[Any] = set()
    for name, parameter in method.parameters.items():
        if parameter.required:
            left = {key: item for key, item in plain.items() if key != name}
            yield name, "a needed argument is missing", left
            yield name, "null in place of a needed argument", {**left, name: None}
            yield name, "a value without a kind in place of a needed argument", {**left, name: KINDLESS}
        parts: Iterator[tuple[str, str, Any]]
        if name in plain:
            parts = chain(
                spoilt(parameter.hint, plain[name], name, seen), _absent(parameter.hint, plain[name], name, gated)
            )
        else:
            parts = _wrong(parameter.hint, name, gated)
        for where, what, spoiled in () if name in gated else parts:
            yield where, what, {**plain, name: spoiled}
            if what.startswith("null") and name in plain:
                # In an optional place many languages cannot tell it from what is absent.
                yield where, f"a value without a kind, {what}", {**plain, name: _without_kind(plain[name], spoiled)}


def _without_kind(whole: Any, spoiled: Any) -> Any:
    """Return *spoiled*, in which null stands in place of something in *whole*, with a value without a kind there."""
    if spoiled is None and whole is not None:
        return KINDLESS
    if is_map(whole) and is_map(spoiled):
        return {key: _without_kind(whole.get(key), part) for key, part in spoiled.items()}
    if is_list(whole) and is_list(spoiled):
        # What is wrong in a list stands behind a good item.
        return [_without_kind(whole[min(at, len(whole) - 1)], part) for at, part in enumerate(spoiled)]
    return spoiled


def _wrong(hint: Hint, where: str, gated: Collection[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield wrong values where there was none."""
    least = example(hint, full=False)
    yield from spoilt(hint, least, where, set())
    yield from _absent(hint, least, where, gated)


def _absent(hint: Hint, plain: Any, where: str, gated: Collection[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield *plain* with a wrong value in one field that it lacks, for each of these."""
    one = next((choice for choice in choices_of(hint) if choice is not type(None)), None)
    if not is_record(one) or not is_map(plain):
        return
    for name, field in fields_of(one).items():
        place = f"{where}.{name}"
        if name in plain:
            parts = _absent(field.hint, plain[name], place, gated)
        else:
            parts = iter(()) if name in gated else _wrong(field.hint, place, gated)
        for at, what, part in parts:
            yield at, what, {**plain, name: part}


def malformed_answers(fleet: Fleet, provider: WireFace) -> Iterator[tuple[str, str, str, Answer]]:
    """Make all these calls; yields method, place, what was wrong there, and the answer."""
    gated = [name for name, flag in GATES.items() if flag not in provider.capabilities]
    for method, plain in good_arguments(fleet):
        for where, what, arguments in malformed(method, plain, gated):
            answer = provider.running.call(method.name, arguments, interface=INTERFACE.name)
            if answer.ok and is_map(answer.value):
                adopt(fleet, method.name, answer.value)
            yield method.name, where, what, answer


def adopt(fleet: Fleet, method: str, made: Mapping[str, Any]) -> None:
    """See that what a call has made that should have been refused is gone after the check."""
    if method == "spawn" and made.get("id"):
        fleet.own(str(made["id"]))
    request = str(made.get("request_id"))
    if method == "request_spot_instance":
        fleet.follow(request)
    if method == "create_snapshot" and (snapshot := outcome(fleet, request)) is not None:
        fleet.provider.invoke("delete_snapshot", snapshot_id=snapshot)


class MalformedContract(Contract):
    """Arguments are those of the interface, or refused before anything is done.

    A field that you drop in silence is a wish that you do not fulfil: an older provider that takes a newer control
    plane's options creates something else than was asked for.
    """

    @clause("CMP-SHAPE-003")
    def test_refuses_what_does_not_fit_the_interface(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """A field too much, one missing, several other kinds, an unknown word, each alone; all else is good."""
        if not isinstance(nomos_provider, WireFace):
            raise NotApplicable("in this process arguments are objects of the interface's own classes")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for method, where, what, answer in malformed_answers(fleet, nomos_provider):
                expect_failure(answer, "INVALID_SPEC", f"{method} with {where}: {what}")
