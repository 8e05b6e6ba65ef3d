"""Programs in a report: the clauses about processes are due for some, and no report denies it."""

from __future__ import annotations

import pytest

from nomos_contracts.clause import CONTRACTS_OF, Profile, Tier, contracts_of
from nomos_contracts.verdict import CURRENT_EDITION, edition
from pytest_nomos.attestation.consistency import inconsistencies
from pytest_nomos.report.build import build_report
from pytest_nomos.report.merge import MergeError, merge
from pytest_nomos.report.model import Report
from unit.report import made


def due(interface: str, *, program: bool) -> list[str]:
    found = edition(CURRENT_EDITION).due(interface, Profile.STANDARD, Tier.REFERENCE, program=program)
    return [clause.id for clause in found]


def report(*, program: bool, shard: str = "") -> Report:
    return build_report(
        made.run(shard=shard), [made.target(interface="compute", program=program)], (), finished=made.FINISHED
    )


def test_a_program_of_a_function_interface_owes_the_clauses_about_processes_and_its_own() -> None:
    (alone, with_process) = (due("compute", program=program) for program in (False, True))
    assert with_process[-len(alone) :] == alone
    more = with_process[: -len(alone)]
    assert more
    assert all(name.startswith("PROC-") for name in more)
    assert contracts_of("compute", program=True) == ("process", "compute")


@pytest.mark.parametrize("interface", CONTRACTS_OF)
def test_what_is_no_program_owes_what_its_interface_says(interface: str) -> None:
    assert contracts_of(interface) == CONTRACTS_OF[interface]


def test_every_configuration_provider_owes_them_once_whatever_it_is() -> None:
    assert due("config", program=True) == due("config", program=False)


def test_a_report_that_denies_its_program_is_found() -> None:
    true = report(program=True)
    assert inconsistencies(true, at=made.FINISHED) == []
    (target,) = true.targets
    denied = true.model_copy(update={"targets": (target.model_copy(update={"program": False}),)})
    assert any("PROC-START-001" in problem for problem in inconsistencies(denied, at=made.FINISHED))


def test_shards_of_a_program_and_of_an_object_are_not_of_one_whole() -> None:
    with pytest.raises(MergeError, match="program differs"):
        merge([report(program=True, shard="1/2"), report(program=False, shard="2/2")])
