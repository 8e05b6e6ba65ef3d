"""Calling: what a program answers around its methods: to Describe, Fetch, unknown names and repeated keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import SPAWN, Fleet, expect_failure, fleet_of, told
from nomos_contracts.compute.interface import CORE, INTERFACE, CreateSnapshotOptions, SpotOptions
from nomos_contracts.compute.malformed import adopt
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.compute.spot import price_of
from nomos_contracts.config.health import status_of
from nomos_contracts.config.info import SEMVER
from nomos_contracts.config.interface import INIT_CODES, HealthStatus
from nomos_contracts.contract import Contract
from nomos_contracts.faces import WireFace, interface_in
from nomos_contracts.inherited import INHERITED
from nomos_contracts.process.interface import initialised, running
from nomos_contracts.provider import Answer, InterfaceProvider, RunningProvider, Starter, TargetFacts
from nomos_contracts.violation import Blocked, NotApplicable, Violation, expect_code, expect_ok, shorten
from nomos_proto.kinds import is_map

NOWHERE: Final = "nomos_no_such"
"""A name that no function and no interface has."""

UNKNOWN: Final = (
    *((INTERFACE.name, name) for name in (NOWHERE, "LIST", "List", "list ", " list", *INHERITED)),
    *((name, "list") for name in (NOWHERE, "COMPUTE", "Compute", "compute ", " compute", *INHERITED, "config")),
    ("", NOWHERE),
)
"""Interfaces and functions that no compute provider has; what is every object's own is no function."""

LIFECYCLE: Final = frozenset({"on_startup", "on_shutdown"})
"""Methods that need no arguments and change what the provider is."""

TOGETHER: Final = 4
"""Calls with one key that are made at once."""

PROTOCOLS: Final = frozenset({"v1", "v2"})
"""Versions of the protocol that every provider of functions serves."""

NAME_SIGNS: Final = frozenset(".+-_")
"""What the name of a provider holds beside letters and digits."""

KEYS_TRIED: Final = 3
"""Keys of the good configuration that hold something else, one after the other."""

TURNS: Final = 4
"""How often Health is asked while calls run."""


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


def _wire(provider: InterfaceProvider) -> WireFace:
    if not isinstance(provider, WireFace):
        raise NotApplicable("in this process there is no program around the methods")
    return provider


@dataclass(frozen=True)
class _Described:
    """What Describe says of the interface; in which order it lists things has no meaning.

    Attributes:
        capabilities: what it declares.
        functions: name, and whether it is streaming and idempotent, of each function.
    """

    capabilities: frozenset[str]
    functions: frozenset[tuple[str, bool, bool]]

    @property
    def names(self) -> frozenset[str]:
        """The names of its functions."""
        return frozenset(name for name, *_ in self.functions)


def _described(provider: RunningProvider, when: str) -> tuple[_Described, Answer]:
    """Ask Describe.

    Raises:
        Violation: it fails, or does not list the interface in its version.
    """
    answer = provider.describe()
    if not answer.ok:
        raise Violation(f"Describe answers {when}", answer.summary, answer)
    found = interface_in(answer.value, INTERFACE.name)
    if found.get("version") != INTERFACE.version:
        expected = f"Describe lists the interface {INTERFACE.name}, version {INTERFACE.version}, {when}"
        raise Violation(expected, shorten(answer.value), answer)
    functions = ((str(one["name"]), bool(one["streaming"]), bool(one["idempotent"])) for one in found["functions"])
    return _Described(frozenset(map(str, found["capabilities"])), frozenset(functions)), answer


class CallingContract(Contract):
    """What callers of any language rely on before they know your provider: what it is, and what it has and has not.

    Look names up in a table of your own, not among the attributes of an object, and answer each of them before anything
    else is looked at.
    """

    @clause("CMP-CALL-001")
    def test_what_is_not_there_is_unimplemented(self, nomos_fresh: InterfaceProvider) -> None:
        """Made-up names, nearly right ones, and those that every object of some language has."""
        provider = _wire(nomos_fresh)
        for interface, function in UNKNOWN:
            for arguments in ({}, {"provider_id": NOWHERE}):
                answer = provider.running.call(function, arguments, interface=interface)
                expect_failure(answer, "UNSUPPORTED_OPERATION", f"{function!r} of the interface {interface!r}")
        after = provider.invoke("list")
        if not after.ok:
            raise Violation("list works after calls of what is not there", told(after), after)

    @clause("CMP-CALL-002")
    def test_describe_says_what_is_there(self, nomos_spawn: Starter) -> None:
        """Before Init and after it, and from then on the same; what it lists can be called, and nothing else."""
        provider = running(nomos_spawn())
        before, early = _described(provider, "before Init")
        first, after = _described(initialised(provider), "after Init")
        for name in ("type", "version"):
            if early.value.get(name) != after.value.get(name):
                expected = f"Describe says the same {name} before and after Init: {early.value.get(name)!r}"
                raise Violation(expected, repr(after.value.get(name)), early, after)
        if missing := (first.names & set(CORE)) - before.names:
            raise Violation(f"Describe lists {', '.join(sorted(missing))} before Init", "it does not", early, after)
        if streaming := sorted(name for name, streams, _ in first.functions if streams):
            raise Violation("functions that answer through Call do not stream", ", ".join(streaming), after)
        self._callable(provider, first)
        again, later = _described(provider, "later")
        if again != first:
            raise Violation(f"Describe says the same as before: {shorten(first)}", shorten(again), after, later)

    @staticmethod
    def _callable(provider: RunningProvider, described: _Described) -> None:
        """Call methods without arguments: one that is there answers, or refuses that."""
        for name, method in INTERFACE.methods.items():
            # A method of a capability that is not declared may be there, and refuse.
            silent = method.capability and method.capability not in described.capabilities
            if name in LIFECYCLE or silent:
                continue
            answer = provider.call(name, {}, interface=INTERFACE.name)
            if (answer.code != "UNIMPLEMENTED") != (name in described.names):
                listed = "listed" if name in described.names else "not listed"
                raise Violation(
                    f"Describe lists {name} if it is there", f"it is {listed}, and answered {told(answer)}", answer
                )

    @clause("CMP-CALL-003")
    def test_there_is_nothing_to_fetch(self, nomos_provider: InterfaceProvider) -> None:
        """Neither a made-up path, nor a setting, nor a method, nor an instance."""
        provider = _wire(nomos_provider).running
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
        """Spawns, requests for spot instances and for snapshots: one after the other, and several at once."""
        provider = _wire(nomos_provider)
        with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
            creations = _creations(fleet)
            for at_once in (False, True):
                for one in creations:
                    plain = INTERFACE.methods[one.method].plain(one.arguments())
                    answers = _with_one_key(provider.running, one.method, plain, fleet.name(), at_once=at_once)
                    for answer in answers:
                        if answer.ok and is_map(answer.value):
                            adopt(fleet, one.method, answer.value)
                    if not any(answer.ok for answer in answers):
                        raise Blocked(one.clause, told(answers[0]))
                    made = {answer.value.get(one.field) if answer.ok else told(answer) for answer in answers}
                    if len(made) > 1:
                        how = "at once" if at_once else "one after the other"
                        expected = f"one {one.field} of {len(answers)} calls of {one.method} with one key, {how}"
                        raise Violation(expected, shorten(sorted(map(str, made))), *answers)

    @clause("CMP-CALL-005")
    def test_describe_and_info_agree(self, nomos_spawn: Starter) -> None:
        """Before Init and after it; with a name, and a schema that a person or an editor can use."""
        provider = running(nomos_spawn())
        # Whether Describe answers that early is another clause's matter.
        if provider.describe().ok:
            _expect_identity(provider, "before Init")
        _expect_identity(initialised(provider), "after Init")

    @clause("CMP-CALL-006")
    def test_health_answers_always(self, nomos_spawn: Starter) -> None:
        """Before Init, after it, and while other calls run."""
        provider = running(nomos_spawn())
        status_of(provider.health(), "before Init")
        initialised(provider)
        for when in ("after Init", "after Init, again"):
            if status_of(provider.health(), when) == HealthStatus.UNSPECIFIED:
                raise Violation(f"a status that is set {when}", HealthStatus.UNSPECIFIED, *provider.answers[-1:])
        for _ in range(TURNS):
            calls = [provider.start_call("list", {}, interface=INTERFACE.name) for _ in range(TOGETHER)]
            said = status_of(provider.health(), "while calls run")
            for call in calls:
                call.answer()
            if said == HealthStatus.UNSPECIFIED:
                raise Violation("a status that is set while calls run", said, *provider.answers[-1:])

    @clause("CMP-CALL-007")
    def test_an_init_that_fails_spoils_nothing(self, nomos_spawn: Starter) -> None:
        """With a key that holds something else, without a configuration and without an alias, in a process each."""
        first = initialised(running(nomos_spawn()))
        first.stop()
        refused = False
        for config, alias in _doubtful(first.good_config):
            provider = running(nomos_spawn())
            answer = provider.init(config, alias=alias)
            if not answer.ok:
                refused = True
                expect_code(answer, *INIT_CODES, because="as Init fails")
                good = expect_ok(provider.init(), "the good Init after one that failed")
                listed = provider.call("list", {}, interface=INTERFACE.name)
                if not listed.ok:
                    raise Violation("list answers after the good Init", told(listed), answer, good, listed)
            provider.stop()
        if not refused:
            raise NotApplicable("no Init was refused")


def _doubtful(good: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Yield configurations and aliases that many a provider refuses; None is the usual alias."""
    yield good, ""
    yield {}, None
    for key in list(good)[:KEYS_TRIED]:
        for wrong in ([["nomos"]], {"nomos": [1]}):
            yield {**good, key: wrong}, None


def _expect_identity(provider: RunningProvider, when: str) -> None:
    """Ask Info and Describe what the provider is.

    Raises:
        Violation: one of the two fails, they differ, or what they say is not of the form that it has.
    """
    info, described = expect_ok(provider.info(), when), provider.describe()
    if not described.ok:
        raise Violation(f"Describe answers {when}", described.summary, described)
    found = described.value
    for name in ("type", "version"):
        said = info.value.get(name) if is_map(info.value) else None
        if not said or found[name] != said:
            expected = f"Describe and Info tell one {name} {when}, and one that is not empty"
            raise Violation(expected, f"{found[name]!r} and {said!r}", info, described)
    if not SEMVER.fullmatch(found["version"]):
        raise Violation("a version such as 1.2.3 or 1.2.3-rc.1+build.5", repr(found["version"]), info, described)
    name = found["name"]
    if not name or not all(sign.isalnum() or sign in NAME_SIGNS for sign in name):
        raise Violation("a name of letters, digits, dots, plus signs, hyphens and underscores", repr(name), described)
    if missing := PROTOCOLS - set(found["protocol_versions"]):
        expected = f"the protocol versions {', '.join(sorted(PROTOCOLS))} in Describe"
        raise Violation(expected, f"without {', '.join(sorted(missing))}", described)
    if found["config_schema"] and not _is_schema(found["config_schema"]):
        raise Violation("a config_schema that is empty or a JSON Schema", shorten(found["config_schema"]), described)


def _is_schema(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | bool)
    except (ValueError, RecursionError):
        return False


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
    """Make the same call twice, or several times at once, with *key*; return the answers."""
    if not at_once:
        again = partial(provider.call, method, plain, interface=INTERFACE.name, idempotency_key=key)
        return [again(), again()]
    begin = partial(provider.start_call, method, plain, interface=INTERFACE.name, idempotency_key=key)
    return [call.answer() for call in [begin() for _ in range(TOGETHER)]]
