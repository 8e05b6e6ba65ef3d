"""Mocks and registries are targets like any other, and are held to the whole contract."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from plugin.conftest import Runner


def test_the_mock_of_configurations_is_certified_in_both_profiles(author: Runner) -> None:
    ran = author("certify", "registered:config/mock", "--tier", "reference", "-n", "2", module="pytest_nomos.cli")
    assert ran.code == 0, ran.text
    verdicts = ran.report("nomos-report")["targets"][0]["verdicts"]
    assert {profile: found["ruling"] for profile, found in verdicts.items()} == {"standard": "kept", "cli": "kept"}


@pytest.mark.parametrize("name", ["registry/memory", "registry/mock", "compute/mock"])
def test_it_keeps_the_contract_at_the_highest_tier(author: Runner, component: Callable[[str], str], name: str) -> None:
    if name.startswith("compute/"):
        component("namespaces")  # else CMP-BOOT-009 is blocked
    ran = author(f"--nomos-provider=registered:{name}", "--nomos-tier=reference", "-n", "2")
    assert ran.code == 0, ran.text
    assert "KEPT" in ran.out


def test_a_registry_cannot_be_reached_over_the_wire(author: Runner) -> None:
    ran = author("--nomos-provider=registered:registry/memory", "--nomos-transport=wire")
    assert ran.code == 4
    assert "can only be reached in process" in ran.text


def test_a_mutant_of_the_registry_breaks_its_clause_alone(author: Runner) -> None:
    ran = author("--nomos-provider=mutant:REG-LIST-001", "--nomos-tier=testing")
    assert ran.code == 1, ran.text
    assert "REG-LIST-001 (MUST)" in ran.text
    assert re.search(r"\b1 failed, \d+ passed", ran.text)
