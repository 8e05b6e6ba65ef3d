"""Accounts that others use too: what they do there is no defect of the provider, and hides none."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import pytest

from compute_bench import CLAUSES, Bench
from nomos_contracts.compute.book import Book, Entry
from nomos_contracts.compute.interface import ListFilter, ProviderError, ProviderInstance, SpawnOptions
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.provider import Answer
from nomos_contracts.schedule import Step
from nomos_mutants.compute.original import Original
from nomos_reference.compute.cloud import Order, VendorError

ASKED = frozenset({"CMP-ERROR-006", "CMP-LIST-001", "CMP-LIST-002", "CMP-REG-003", "CMP-SPAWN-003", "CMP-SCHED-001"})


@pytest.fixture(scope="module")
def samples() -> ComputeSamples:
    source = resources.files("nomos_reference").joinpath("conformance", "compute-memory.toml")
    return ComputeSamples.model_validate(tomllib.loads(source.read_text(encoding="utf-8"))["samples"])


class Busy(Original):
    """Somebody else creates an instance whenever list is asked, and ends the one before the last."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self.others: list[str] = []

    async def list(self, filter: ListFilter | None = None) -> Iterable[ProviderInstance]:  # noqa: A002 # the interface's
        try:
            self.others.append(self.cloud.create(Order("small", "east", {"team": "other"})).id)
        except VendorError:
            return await super().list(filter)
        if len(self.others) > 2:
            self.cloud.terminate(self.others[-3])
        return await super().list(filter)


class BusyAndLeaky(Busy):
    """The same, and a spawn for an unknown region leaves an instance."""

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        try:
            return await super().spawn(options)
        except ProviderError:
            if options.region is not None:
                self.cloud.create(Order("small", "east", dict(options.tags or {})))
            raise


def judged(make: Any, samples: ComputeSamples, asked: frozenset[str] = ASKED) -> dict[str, tuple[str, str]]:
    return Bench(make.mutated, samples, {}).judge(without=frozenset(CLAUSES) - asked)


def test_a_correct_provider_keeps_everything_in_an_account_in_which_others_create_instances(
    samples: ComputeSamples,
) -> None:
    assert judged(Busy, samples) == dict.fromkeys(ASKED, ("passed", ""))


def test_what_a_failed_spawn_leaves_is_found_among_the_instances_of_others(samples: ComputeSamples) -> None:
    outcome, why = judged(BusyAndLeaky, samples, frozenset({"CMP-ERROR-006"}))["CMP-ERROR-006"]
    assert (outcome, "creates nothing" in why) == ("failed", True)


class RefusesEnded(Original):
    """Refuses the pair of ids of a terminated instance."""

    code = "INVALID_STATE"

    async def spawn(self, options: SpawnOptions) -> ProviderInstance:
        before = self._spawned.get((options.control_id, options.instance_id))
        machine = before and self.cloud.peek(before[1])
        if before and (not machine or machine.terminated is not None):
            raise ProviderError("the instance of these ids is terminated", self.code, provider=self.name)
        return await super().spawn(options)


def test_the_ids_of_a_terminated_instance_may_be_used_up(samples: ComputeSamples) -> None:
    spawning = frozenset(one for one in CLAUSES if one.startswith(("CMP-IDEM", "CMP-SCHED")))
    assert {what for what, _ in judged(RefusesEnded, samples, spawning).values()} == {"passed"}


@pytest.mark.parametrize(
    ("code", "ended", "right"),
    [
        ("INVALID_STATE", True, True),
        ("ALREADY_EXISTS", True, True),
        ("NOT_FOUND", True, False),
        ("INVALID_STATE", False, False),
    ],
)
def test_a_spawn_may_be_refused_for_a_terminated_instance_alone(code: str, ended: bool, right: bool) -> None:
    book = Book(idempotent=True, entries={0: [Entry("i-1", ended)]})
    answer = Answer("spawn", {"args": {}}, "FAILED_PRECONDITION", "no", details={"code": code})
    assert (book.judge(Step("spawn", {"number": 0}), answer) is None) == right
    assert [one.id for one in book.all] == ["i-1"]
