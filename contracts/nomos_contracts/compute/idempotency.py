"""Idempotent spawn: control id and instance id name one instance, however often it is asked for."""

from __future__ import annotations

import time
from itertools import takewhile
from random import Random
from typing import Any

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import SPAWN, Configured, Fleet, bootstrap, code_of, fleet_of, shaped, told
from nomos_contracts.compute.interface import ListFilter, SpawnOptions
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import Answer, InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation, shorten

AT_ONCE = 8
GIVE_UP = (0.0005, 0.002, 0.01, 0.05)
"""Deadlines in seconds after which a caller gives up and asks again."""

LATE = (0.02, 0.1)
"""The same for a spawn that is known to answer late."""

OTHERS, MANY = 8, 40
"""So many other spawns come between a spawn and the same one again: many where the few were done within `QUICK`."""

QUICK = 1.0
"""Seconds for the few; no machine that costs anything is made so fast."""

LATER = 2.0
"""Seconds after which the same spawn is asked for once more, where `limits.settle` is no less."""

LARGE = (11 + 2**32, 2**53, 2**53 + 1)
"""Numbers that are another one, or each other, where they are kept in 32 bits or as doubles."""

REFUSALS = ("ALREADY_EXISTS", "INVALID_SPEC", "INVALID_STATE")


def expect_one(fleet: Fleet, options: SpawnOptions, ids: set[str], when: str) -> None:
    """Say that the spawns of *options* made one instance; list is asked by the tag that they alone carry.

    Raises:
        Violation: there are more.
    """
    if len(ids) > 1:
        raise Violation(f"one instance {when}", f"{len(ids)} ids: {shorten(sorted(ids))}", *fleet.provider.answers[-2:])
    made: set[str] = set()

    def look() -> bool:
        marked = {one.id for one in fleet.shown(ListFilter(tags={"once": (options.tags or {})["once"]}))}
        # Twice, since a filter that does not work is another clause's matter, and an account may have other users.
        made.update(one.id for one in fleet.shown() if one.id in marked and one.id not in fleet.known)
        return ids <= made

    fleet.poll(fleet.settle, look)
    for one in made:
        fleet.own(one)
    if made - ids:
        raise Violation(
            f"one instance {when}",
            f"{len(made | ids)} are there: {shorten(sorted(made | ids))}",
            *fleet.provider.answers[-2:],
        )


def _made(answer: Answer) -> bool:
    return answer.ok


def once(fleet: Fleet, **changes: Any) -> SpawnOptions:
    """Return options of a spawn whose instance can be told from all others."""
    return fleet.options(tags={"once": fleet.name()}, **changes)


class IdempotencyContract(Contract):
    """With the flag `idempotent_spawn`, the same control id and instance id give the same instance.

    Hand both to the vendor as its idempotency token, and also as a tag that you look up before you create, since a
    caller may ask again after its deadline, while the first call still runs.
    """

    @clause("CMP-IDEM-001")
    def test_asked_again_it_gives_the_same_instance(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """At once, when it runs, after a few others, after many where they come quickly, and later."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            options = once(fleet)
            ids = {fleet.spawn(options).id}
            began = time.monotonic()
            ids |= {self._again(fleet, options) for _ in range(2)}
            for one in tuple(ids):
                fleet.running(one)
            ids.add(self._again(fleet, options))
            expect_one(fleet, options, ids, "for the same control id and instance id")
            started = time.monotonic()
            for _ in range(OTHERS):
                fleet.spawn()
            quick = time.monotonic() - started < QUICK
            ids.add(self._again(fleet, options))
            expect_one(fleet, options, ids, f"for the same ids again after {OTHERS} others")
            if quick:
                # There may be room for fewer.
                others = sum(1 for _ in takewhile(_made, (fleet.try_spawn() for _ in range(MANY - OTHERS))))
                ids.add(self._again(fleet, options))
                expect_one(fleet, options, ids, f"for the same ids again after {OTHERS + others} others")
            wait = min(fleet.settle, LATER)
            fleet.poll(began + wait - time.monotonic(), lambda: False)
            ids.add(self._again(fleet, options))
            expect_one(fleet, options, ids, f"for the same ids again after {wait:g} s")

    @staticmethod
    def _again(fleet: Fleet, options: SpawnOptions) -> str:
        answer = shaped(fleet.try_spawn(options))
        if answer.code != "OK":
            raise Violation("the same spawn again answers its instance", told(answer), answer)
        return str(answer.value.id)

    @clause("CMP-IDEM-002")
    def test_asked_by_many_at_once_it_gives_one_instance(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_configured: Configured,
    ) -> None:
        """Eight callers, three times; also on a provider that answers late, where a sample says how."""
        providers = [nomos_fresh]
        if nomos_samples.slow_spawn:
            providers.append(nomos_configured(nomos_samples.slow_spawn))
        for provider in providers:
            with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
                for _ in range(3 if provider is nomos_fresh else 1):
                    fleet.remember()
                    options = once(fleet)
                    pending = [provider.start("spawn", options=options) for _ in range(AT_ONCE)]
                    answers = [shaped(fleet.adopt(one.answer())) for one in pending]
                    ids = {str(one.value.id) for one in answers if one.ok}
                    if not ids:
                        raise Violation(
                            "one of eight callers at once gets the instance", told(answers[0]), *answers[:2]
                        )
                    expect_one(fleet, options, ids, "for eight callers at once")

    @clause("CMP-IDEM-003")
    def test_asked_again_after_a_lost_answer_it_gives_one_instance(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
        nomos_configured: Configured,
    ) -> None:
        """The caller's deadline passes before the answer, or it leaves; then it asks again."""
        cases: list[tuple[InterfaceProvider, tuple[float, ...]]] = [(nomos_fresh, GIVE_UP)]
        if nomos_samples.slow_spawn:
            cases.append((nomos_configured(nomos_samples.slow_spawn), LATE))
        for provider, deadlines in cases:
            with fleet_of(provider, nomos_samples, nomos_target, nomos_random) as fleet:
                for seconds in deadlines:
                    self._lose(fleet, seconds, leave=False)
                self._lose(fleet, deadlines[-1], leave=True)

    @staticmethod
    def _lose(fleet: Fleet, seconds: float, *, leave: bool) -> None:
        fleet.remember()
        options = once(fleet)
        if leave:
            pending = fleet.provider.start("spawn", options=options)
            fleet.poll(seconds, pending.done)
            pending.cancel()
            first = fleet.adopt(pending.answer())
        else:
            first = fleet.adopt(fleet.provider.invoke("spawn", options=options, timeout=seconds))
        second = shaped(fleet.try_spawn(options))
        if second.code != "OK":
            raise Violation("the same spawn again answers its instance", told(second), first, second)
        ids = {str(one.value.id) for one in (first, second) if one.ok}
        expect_one(fleet, options, ids, "for a spawn whose first answer was lost")

    @clause("CMP-IDEM-004")
    def test_other_ids_give_other_instances(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Another control plane with the same number, another number, and pairs that look alike when joined.

        Numbers of up to 64 bits are told apart, or refused; so are blanks at the ends, signs, and other letters.
        """
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            control = f"nomos-{fleet.mark}"
            pairs = [(control, 11), (control, 12), (control + "x", 11), (control + "1", 1), (control.upper(), 11)]
            pairs += [(control + "-1", 1), (control, 111), (control + "-11", 1)]
            pairs += [(control, number) for number in LARGE]
            odd = [(control + " ", 11), (" " + control, 12), (control, -11), (control + "\uff11", 1)]
            pairs += odd
            seen: dict[str, tuple[str, int]] = {}
            for control_id, number in pairs:
                answer = shaped(fleet.try_spawn(control_id=control_id, instance_id=number))
                if number in LARGE and code_of(answer) == "INVALID_SPEC":
                    continue
                if (control_id, number) in odd and not answer.ok:
                    continue
                if answer.code != "OK" or not answer.value.id:
                    raise Blocked(SPAWN, f"spawn gave no instance: {told(answer)}")
                found = str(answer.value.id)
                if found in seen:
                    raise Violation(
                        f"{(control_id, number)} and {seen[found]} are two instances",
                        f"both are {found}",
                        *nomos_fresh.answers[-2:],
                    )
                seen[found] = (control_id, number)

    @clause("CMP-IDEM-005")
    def test_other_options_give_no_second_instance(
        self,
        nomos_fresh: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """The same ids, and each other option another one: refused, or the instance that is there."""
        with fleet_of(nomos_fresh, nomos_samples, nomos_target, nomos_random) as fleet:
            options = once(fleet)
            first = fleet.spawn(options)
            same: dict[str, Any] = {"control_id": options.control_id, "instance_id": options.instance_id}
            changed: list[dict[str, Any]] = [{"tags": {"changed": "yes"}}]
            changed += [{"tags": options.tags, "manifest_id": f"manifest-{fleet.name()}"}]
            changed += [{"tags": options.tags, "bootstrap": bootstrap(environment={"CHANGED": "yes"})}]
            changed += [{"tags": options.tags, "region": one} for one in nomos_samples.regions[:2]]
            changed += [{"spec": nomos_samples.other_spec}] if nomos_samples.other_spec else []
            for changes in changed:
                answer = shaped(fleet.try_spawn(**same, **changes))
                if answer.code != "OK" and code_of(answer) not in REFUSALS:
                    raise Violation(f"the instance that is there, or {', '.join(REFUSALS)}", told(answer), answer)
                if answer.code == "OK" and answer.value.id != first.id:
                    raise Violation(f"no second instance beside {first.id}", told(answer), answer)
