"""Calling: what a program answers around its methods: to Fetch, unknown names, repeated keys and CallStream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import SPAWN, Fleet, expect_failure, fleet_of, told
from nomos_contracts.compute.interface import INTERFACE, CreateSnapshotOptions, SpotOptions
from nomos_contracts.compute.malformed import adopt
from nomos_contracts.compute.presenting import description_of, program_of
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spot import price_of
from nomos_contracts.contract import Contract
from nomos_contracts.inherited import INHERITED
from nomos_contracts.provider import Answer, InterfaceProvider, RunningProvider, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, shorten
from nomos_proto.kinds import is_map

NOWHERE: Final = "nomos_no_such"
"""A name that no function and no interface has."""

UNKNOWN: Final = (
    *((INTERFACE.name, name) for name in (NOWHERE, "LIST", "List", "list ", " list", *INHERITED)),
    *((name, "list") for name in (NOWHERE, "COMPUTE", "Compute", "compute ", " compute", *INHERITED, "config")),
    ("", NOWHERE),
)
"""Interfaces and functions that no compute provider has; what is every object's own is no function."""

TOGETHER: Final = 4
"""Calls with one key that are made at once."""

STREAM_SECONDS: Final = 5.0
"""Seconds after which a stream that never ends has been given its time."""

PARTS: Final = 16
"""At most so many parts of a stream are looked at."""


@dataclass(frozen=True)
class _Creation:
    """A call that makes something.

    Attributes:
        method: what is called.
        field: the field of its answer that tells what was made from all else.
        arguments: returns arguments that were not used before.
        clause: the clause that is broken where it fails.
    """

    method: str
    field: str
    arguments: Callable[[], Mapping[str, Any]]
    clause: str


class CallingContract(Contract):
    """What callers of any language rely on before they know your provider: what it is, and what it has and has not.

    Look names up in a table of your own, not among the attributes of an object, and answer each of them before anything
    else is looked at.
    """

    @clause("CMP-CALL-001")
    def test_what_is_not_there_is_unimplemented(self, nomos_fresh: InterfaceProvider) -> None:
        """Made-up names, nearly right ones, and those that every object of some language has."""
        provider = program_of(nomos_fresh)
        for interface, function in UNKNOWN:
            for arguments in ({}, {"provider_id": NOWHERE}):
                answer = provider.running.call(function, arguments, interface=interface)
                expect_failure(answer, "UNSUPPORTED_OPERATION", f"{function!r} of the interface {interface!r}")
        after = provider.invoke("list")
        if not after.ok:
            raise Violation("list works after calls of what is not there", told(after), after)

    @clause("CMP-CALL-003")
    def test_there_is_nothing_to_fetch(self, nomos_provider: InterfaceProvider) -> None:
        """Neither a made-up path, nor a setting, nor a method, nor an instance."""
        provider = program_of(nomos_provider).running
        paths = [(NOWHERE,), (NOWHERE, "a"), ("list",), (INTERFACE.name,), (INTERFACE.name, "list"), ("config",)]
        paths += [path for key in provider.good_config if key for path in ((key,), ("config", key))]
        for path in paths:
            answer = provider.fetch(path)
            if answer.code != "NOT_FOUND":
                raise Violation(f"Fetch {list(path)} answers NOT_FOUND", answer.summary, answer)

    @clause("CMP-CALL-004")
    def test_calls_with_one_key_are_one_call(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Spawns, requests for spot instances and for snapshots: one after the other, and several at once.

        With other arguments it is still the same call, or refused; with a key that is nearly the same it is another.
        """
        provider = program_of(nomos_provider)
        with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
            creations = _creations(fleet)
            for at_once in (False, True):
                for one in creations:
                    plain = INTERFACE.methods[one.method].plain(one.arguments())
                    answers = _with_one_key(provider.running, one.method, plain, fleet.name(), at_once=at_once)
                    _adopt_all(fleet, one, answers)
                    made = {answer.value.get(one.field) if answer.ok else told(answer) for answer in answers}
                    if len(made) > 1:
                        how = "at once" if at_once else "one after the other"
                        expected = f"one {one.field} of {len(answers)} calls of {one.method} with one key, {how}"
                        raise Violation(expected, shorten(sorted(map(str, made))), *answers)
            for one in creations:
                _expect_the_key_decides(fleet, provider.running, one)

    @clause("CMP-CALL-008")
    def test_nothing_streams(self, nomos_fresh: InterfaceProvider) -> None:
        """CallStream of functions that answer through Call, and of one that is not there."""
        provider = program_of(nomos_fresh).running
        for function in ("list", "generate_bootstrap", NOWHERE):
            stream = provider.stream(function, {}, interface=INTERFACE.name, timeout=STREAM_SECONDS)
            parts = list(islice(stream, PARTS))
            if not parts or parts[-1].code != "UNIMPLEMENTED":
                got = told(parts[-1]) if parts else "a stream that ends, and nothing in it"
                raise Violation(f"CallStream of {function} fails with UNIMPLEMENTED", got, *parts[-1:])

    @clause("CMP-CALL-009")
    def test_what_is_said_to_be_idempotent_is(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each call that makes something, twice with equal arguments and without a key."""
        provider = program_of(nomos_provider)
        listed, _ = description_of(provider.running, "after Init")
        promised = {name for name, _, idempotent in listed.functions if idempotent}
        with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
            creations = [one for one in _creations(fleet) if one.method in promised]
            for one in creations:
                plain = INTERFACE.methods[one.method].plain(one.arguments())
                answers = _with_one_key(provider.running, one.method, plain, "", at_once=False)
                _adopt_all(fleet, one, answers)
                # A second one may be refused: that has no effect either.
                made = {answer.value.get(one.field) for answer in answers if answer.ok}
                if len(made) > 1:
                    expected = f"one {one.field} of two calls of {one.method}, which Describe calls idempotent"
                    raise Violation(expected, shorten(sorted(map(str, made))), *answers)
        if not creations:
            raise NotApplicable("Describe calls nothing idempotent that makes something")


def _adopt(fleet: Fleet, one: _Creation, answer: Answer) -> Answer:
    """Return *answer*; what it made is gone after the check."""
    if answer.ok and is_map(answer.value):
        adopt(fleet, one.method, answer.value)
    return answer


def _adopt_all(fleet: Fleet, one: _Creation, answers: Sequence[Answer]) -> None:
    """Take in what *answers* made.

    Raises:
        Blocked: they made nothing.
    """
    for answer in answers:
        _adopt(fleet, one, answer)
    if not any(answer.ok for answer in answers):
        raise Blocked(one.clause, told(answers[0]))


def _expect_the_key_decides(fleet: Fleet, provider: RunningProvider, one: _Creation) -> None:
    """Make a call with a key, again with other arguments, and with keys that are nearly the same.

    Raises:
        Violation: the same key made another thing, or another key did not.
    """
    key = f"Key-{fleet.name()}"
    method = INTERFACE.methods[one.method]

    def made(with_key: str) -> Answer:
        answer = provider.call(
            one.method, method.plain(one.arguments()), interface=INTERFACE.name, idempotency_key=with_key
        )
        return _adopt(fleet, one, answer)

    first = made(key)
    if not first.ok:
        raise Blocked(one.clause, told(first))
    again = made(key)
    if again.ok and again.value.get(one.field) != first.value.get(one.field):
        expected = f"one {one.field} of two calls of {one.method} with one key, or none for other arguments"
        raise Violation(expected, shorten([first.value, again.value]), first, again)
    for other in (key.lower(), key.upper(), key[:-1], f"{key} ", f" {key}"):
        answer = made(other)
        expected = f"calls of {one.method} with the keys {key!r} and {other!r} are two"
        if answer.ok and answer.value.get(one.field) == first.value.get(one.field):
            raise Violation(expected, f"{one.field} {first.value.get(one.field)} for both", first, answer)
        # Blanks around a key may be refused as such.
        if not answer.ok and other.strip() == other and made(f"Key-{fleet.name()}").ok:
            raise Violation(expected, told(answer), first, answer)


def _creations(fleet: Fleet) -> list[_Creation]:
    """Return the calls that make something, as far as the provider has them."""
    found = [_Creation("spawn", "id", lambda: {"options": fleet.options()}, SPAWN)]
    if "spot" in fleet.provider.capabilities:
        price = price_of(fleet) * 2
        found.append(
            _Creation(
                "request_spot_instance",
                "request_id",
                lambda: {"options": SpotOptions(fleet.options(), price)},
                "clause:CMP-SPOT-001",
            )
        )
    if "snapshots" in fleet.provider.capabilities:
        instance = fleet.spawn()
        if fleet.running(instance.id) is not None:
            wanted = partial(_snapshot, fleet, instance.id)
            found.append(_Creation("create_snapshot", "request_id", wanted, "clause:CMP-SNAP-001"))
    return found


def _snapshot(fleet: Fleet, instance_id: str) -> dict[str, Any]:
    return {"provider_id": instance_id, "options": CreateSnapshotOptions(f"nomos-{fleet.name()}")}


def _with_one_key(
    provider: RunningProvider, method: str, plain: Mapping[str, Any], key: str, *, at_once: bool
) -> Sequence[Answer]:
    """Make the same call twice, or several times at once, with *key*, empty for none; return the answers."""
    if not at_once:
        again = partial(provider.call, method, plain, interface=INTERFACE.name, idempotency_key=key)
        return [again(), again()]
    begin = partial(provider.start_call, method, plain, interface=INTERFACE.name, idempotency_key=key)
    return [call.answer() for call in [begin() for _ in range(TOGETHER)]]
