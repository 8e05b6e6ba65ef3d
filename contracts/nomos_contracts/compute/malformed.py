"""Malformed arguments: what a caller of another version or language may send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import Fleet, bootstrap, fleet_of, told
from nomos_contracts.compute.interface import INTERFACE, InstanceStatus, ListFilter
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.examples import spoilt
from nomos_contracts.faces import WireFace
from nomos_contracts.functions import Method
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import NotApplicable, Violation
from nomos_proto.kinds import is_map


def good_arguments(fleet: Fleet) -> Iterator[tuple[Method, Mapping[str, Any]]]:
    """Yield calls whose arguments every provider takes: methods, and arguments in their plain form."""
    tags = {"a": "b"}
    wanted = ListFilter((InstanceStatus.RUNNING,), spec=fleet.samples.spec, tags=tags, limit=3, include_terminated=True)
    made = fleet.spawn().id
    for name, arguments in (
        ("spawn", {"options": fleet.options(tags=tags)}),
        ("list", {"filter": wanted}),
        ("get", {"provider_id": made}),
        ("generate_bootstrap", {"cfg": bootstrap(init_script="true\n", environment={"A": "b"})}),
        ("terminate", {"provider_id": made}),
    ):
        method = INTERFACE.methods[name]
        yield method, method.plain(arguments)


def malformed(method: Method, plain: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (place, what is wrong there, all arguments) for each way in which *plain* can be made wrong."""
    yield "unknown_argument", "an unknown argument", {**plain, "unknown_argument": 1}
    seen: set[Any] = set()
    for name, value in plain.items():
        if name in method.required:
            left = {key: item for key, item in plain.items() if key != name}
            yield name, "a needed argument is missing", left
        for where, what, spoiled in spoilt(method.parameters[name].hint, value, name, seen):
            yield where, what, {**plain, name: spoiled}


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
        """A field too much, one missing, another kind, an unknown word; all else is good."""
        if not isinstance(nomos_provider, WireFace):
            raise NotApplicable("in this process arguments are objects of the interface's own classes")
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            for method, plain in good_arguments(fleet):
                for where, what, arguments in malformed(method, plain):
                    answer = nomos_provider.running.call(method.name, arguments, interface=INTERFACE.name)
                    if answer.ok and method.name == "spawn" and is_map(answer.value) and answer.value.get("id"):
                        fleet.own(str(answer.value["id"]))
                    if answer.code != "INVALID_ARGUMENT":
                        expected = f"{method.name} is refused with INVALID_ARGUMENT for {where}: {what}"
                        raise Violation(expected, told(answer), answer)
