"""Each mutant of the compute contract breaks what it lists and nothing else; the original keeps everything."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import pytest

from compute_bench import CLAUSES, Bench
from nomos_contracts.clause import Level
from nomos_contracts.compute.samples import ComputeSamples
from nomos_contracts.faces import InProcessFace
from nomos_mutants.functions import FunctionMutant
from nomos_mutants.mutant import all_mutants
from nomos_reference.compute.memory import make

MUTANTS: Mapping[str, Any] = all_mutants(("compute",))


@pytest.fixture(scope="module")
def samples() -> ComputeSamples:
    source = resources.files("nomos_reference").joinpath("conformance", "compute-memory.toml")
    return ComputeSamples.model_validate(tomllib.loads(source.read_text(encoding="utf-8"))["samples"])


def test_every_must_clause_has_a_mutant() -> None:
    covered = {one.clause for one in MUTANTS.values()}
    due = {one.id for one in CLAUSES.values() if one.level is Level.MUST and one.testable}
    assert due - covered == set()
    assert covered <= set(CLAUSES)


@pytest.fixture
def namespaces(component: Callable[[str], str]) -> str:
    return component("namespaces")


SANDBOXED = frozenset(f"CMP-BOOT-{number:03}" for number in range(6, 12))
"""Clauses for which scripts really run; here for mutants of scripts alone, in the kill matrix for all."""


UPSTREAM = frozenset(f"CMP-CHAOS-{number:03}" for number in range(6, 13))
"""Clauses that wait for a vendor; here for mutants that a vendor breaks, in the kill matrix for all."""


# Where the defect is in the program around the object the kill matrix runs it.
@pytest.mark.parametrize("name", sorted(name for name, one in MUTANTS.items() if not getattr(one, "outside", False)))
def test_a_mutant_breaks_what_it_lists_and_nothing_else(
    name: str, samples: ComputeSamples, component: Callable[[str], str]
) -> None:
    mutant = MUTANTS[name]
    assert isinstance(mutant, FunctionMutant)
    scripts = mutant.clause.startswith("CMP-BOOT") or mutant.breaks & SANDBOXED
    if scripts:
        component("namespaces")
    if mutant.clause in UPSTREAM:
        # The original as long as its cloud is in memory.
        seen = Bench(mutant.make, samples, {}, face=InProcessFace).judge(without=frozenset(CLAUSES) - UPSTREAM)
    else:
        seen = Bench(mutant.make, samples, {}).judge(without=UPSTREAM if scripts else SANDBOXED | UPSTREAM)
    failed = {i: why for i, (what, why) in seen.items() if what == "failed"}
    tried = CLAUSES.keys() if mutant.clause in UPSTREAM else CLAUSES.keys() - UPSTREAM
    assert failed.keys() == mutant.breaks & tried, {i: why for i, why in failed.items() if i not in mutant.breaks}
    allowed = {f"clause:{one}" for one in mutant.breaks}
    blocked = {i: why for i, (what, why) in seen.items() if what == "blocked" and why.split(": ")[0] not in allowed}
    assert blocked == {}


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"bootstrap": "cloud-init"},
        {"bootstrap": "ignition"},
        {"lag": 4.0},
        {"boot_delay": 0.0, "stop_delay": 0.0},
        {"forget_after": 0.0},
        {"page": 1},
        {"lag": 6.0, "forget_after": 0.0, "boot_delay": 9.0, "snapshot_delay": 9.0, "spot_delay": 8.0},
        {"latency": 0.02},
    ],
    ids=repr,
)
def test_a_correct_provider_keeps_everything_however_it_behaves(
    config: Mapping[str, Any], samples: ComputeSamples
) -> None:
    seen = Bench(make, samples, config).judge(without=UPSTREAM)
    assert {i: why for i, (what, why) in seen.items() if what not in {"passed", "not applicable"}} == {}


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("flags", [[], ["spot"], ["hibernation", "snapshots"]], ids=repr)
def test_a_correct_provider_may_declare_little(flags: list[str], samples: ComputeSamples) -> None:
    fewer = samples.model_copy(update={"provoke": (), "interrupted": None})
    seen = Bench(make, fewer, {"capabilities": flags}).judge(without=UPSTREAM)
    rest = {i: why for i, (what, why) in seen.items() if what not in {"passed", "not applicable"}}
    assert set(rest.values()) <= {"sample:provoke", "sample:interrupted"}
    undeclared = {i for i, (what, _) in seen.items() if what == "passed" and i.startswith("CMP-FLAG-2")}
    assert "CMP-FLAG-203" in undeclared


def test_the_checks_run_the_same_on_the_face_that_the_plugin_uses(samples: ComputeSamples) -> None:
    seen = Bench(make, samples, {}, face=InProcessFace).judge(without=SANDBOXED)
    assert {i: why for i, (what, why) in seen.items() if what not in {"passed", "not applicable"}} == {}


@pytest.mark.parametrize("config", [{"lag": 4.0}, {"capabilities": []}, {"latency": 0.05}], ids=repr)
def test_a_correct_provider_bears_with_its_vendor_however_it_behaves(
    config: Mapping[str, Any], samples: ComputeSamples
) -> None:
    seen = Bench(make, samples, config, face=InProcessFace).judge(without=frozenset(CLAUSES) - UPSTREAM)
    assert {i: why for i, (what, why) in seen.items() if what not in {"passed", "not applicable"}} == {}
