"""Get: the instance of an id, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from nomos_contracts.clause import clause
from nomos_contracts.compute.fleet import ENDED, fleet_of, shaped, told, words
from nomos_contracts.compute.interface import InstanceStatus
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.contract import Contract
from nomos_contracts.provider import InterfaceProvider, TargetFacts
from nomos_contracts.violation import Blocked, Violation

AT_ONCE = 8

REFUSALS = ("", "INVALID_SPEC", "NOT_FOUND")
"""Codes of an answer about an id that no instance can have; empty for None."""


def near(instance_id: str) -> Iterator[str]:
    """Yield ids that are nearly, but not, *instance_id*, each once."""
    yield from dict.fromkeys(one for one in _resembling(instance_id) if one != instance_id)


def _resembling(one: str) -> Iterator[str]:
    yield from ("", " ", one[:-1], one[1:], one[:4], one[-4:])
    yield from (one + "0", "0" + one, one + " ", " " + one, one + "\n", one + "\0", one + "\0x", "\u200b" + one)
    yield from (one * 2, f"{one},{one}", "*", "%", ".*", "?" * 8, "_" * len(one), "?" * len(one), one[:2] + "*")
    yield from (one.swapcase(), one.upper(), one.lower())
    for separator in "-._:/":
        yield from (f"{one}{separator}x", f"x{separator}{one}")
    yield from (one + "/", f"x/../{one}", f"{one}?x=1", f"{one}#x", f'"{one}"')
    # What a vendor's client, its address or a database may take for the same: each sign in another writing.
    yield from ("".join(f"%{byte:02X}" for byte in one.encode()), f"%{ord(one[0]):02x}{one[1:]}")
    yield "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in one)
    yield from (re.sub("[0-9]+", r"0\g<0>", one), re.sub("(?<![0-9])0+(?=[0-9])", "", one))


class GetContract(Contract):
    """Get answers the instance of exactly that id, and None where there is none.

    An unknown id is no error: catch the vendor's "not found" and answer None. Compare ids exactly.
    """

    @clause("CMP-GET-001")
    def test_gives_what_was_spawned(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Each of three instances, as itself; also asked for by eight callers at once."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            instances = fleet.spawn_many(3)
            for made in instances:

                def look(wanted: str = made.id) -> object:
                    answer = shaped(nomos_provider.invoke("get", provider_id=wanted))
                    return answer if answer.code != "OK" or answer.value is not None else None

                fleet.poll(fleet.settle, look)
                answer = nomos_provider.invoke("get", provider_id=made.id)
                if answer.code != "OK" or answer.value is None:
                    raise Violation(f"get answers {made.id} within {fleet.settle:g} s", told(answer), answer)
                if answer.value.id != made.id:
                    raise Violation(f"get of {made.id} answers that instance", words(answer.value), answer)
            wanted = [instances[number % 3].id for number in range(AT_ONCE)]
            pending = [nomos_provider.start("get", provider_id=one) for one in wanted]
            for asked, answer in zip(wanted, [one.answer() for one in pending], strict=True):
                if shaped(answer).ok and answer.value is not None and answer.value.id != asked:
                    raise Violation(f"get of {asked} beside others answers that instance", words(answer.value), answer)

    @clause("CMP-GET-002")
    def test_gives_nothing_for_an_id_of_nobody(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Ids of the shape that this provider's have; twice each."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            unknown = [fleet.nobody(made.id) for _ in range(3)]
            for one in (*unknown, *unknown):
                answer = shaped(nomos_provider.invoke("get", provider_id=one))
                if answer.code != "OK" or answer.value is not None:
                    raise Violation(f"get of {one!r}, which nothing has, answers None", told(answer), answer)

    @clause("CMP-GET-003")
    def test_never_gives_an_instance_of_another_id(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """Nothing, beginnings, ends, further parts, patterns, other case, other writing, blanks around it."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.visible([made])
            for one in near(made.id):
                answer = shaped(nomos_provider.invoke("get", provider_id=one))
                if answer.code == "OK" and answer.value is not None and one != answer.value.id:
                    raise Violation(f"get of {one!r} does not give {made.id}", told(answer), answer)

    @clause("CMP-GET-004")
    def test_gives_nothing_that_lives_after_terminate(
        self,
        nomos_provider: InterfaceProvider,
        nomos_samples: ComputeSamples,
        nomos_target: TargetFacts,
        nomos_random: Random,
    ) -> None:
        """None, terminating or terminated; asked again and again, it never comes back."""
        with fleet_of(nomos_provider, nomos_samples, nomos_target, nomos_random) as fleet:
            made = fleet.spawn()
            fleet.run_all([made])
            fleet.terminate(made.id)

            def over() -> bool:
                found = fleet.get(made.id)
                return found is None or found.status in ENDED

            if not fleet.poll(fleet.settle, over):
                if made.id in fleet.listed():
                    raise Blocked("clause:CMP-TERM-001", f"list shows {made.id} too: terminate did not end it")
                raise Violation(
                    f"get of a terminated instance answers None or one that ends, within {fleet.settle:g} s",
                    words(fleet.get(made.id)),
                    *nomos_provider.answers[-1:],
                )
            fleet.ended(made.id)
            for _ in range(5):
                found = fleet.get(made.id)
                if found is not None and found.status is not InstanceStatus.TERMINATED:
                    raise Violation("what is terminated stays so", words(found), *nomos_provider.answers[-1:])
