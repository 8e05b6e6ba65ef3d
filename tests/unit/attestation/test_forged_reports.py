from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from nomos_contracts.clause import Level
from nomos_contracts.verdict import Outcome
from pytest_nomos.attestation.verify import verify
from pytest_nomos.report.build import build_report
from pytest_nomos.report.folder import report_bytes
from pytest_nomos.report.model import Report
from unit.attestation.bundle import AT, Files, Table
from unit.attestation.report_forgeries import REPORT_FORGERIES, softer_sentence
from unit.report import made


def test_the_untouched_original_is_accepted_and_its_signer_named(files: Files) -> None:
    found = files.verify()
    assert found.consistent, found.text
    assert found.reasons == ()
    assert found.consistency.startswith("Consistent: it says config contract broken by provider (SHA-256 ")
    assert found.key is not None
    assert found.signature == f"Signed by the key {found.key}: whoever holds it answers for the run."


def test_the_untouched_report_alone_is_consistent_and_says_nothing_about_who_ran_it(files: Files) -> None:
    found = files.verify(alone=True)
    assert found.consistent, found.text
    assert found.key is None
    assert "says nothing about who ran it" in found.signature


@pytest.mark.parametrize(("forge", "sentence"), REPORT_FORGERIES, ids=[forge.__name__ for forge, _ in REPORT_FORGERIES])
def test_a_forged_report_is_rejected_by_computing_it_again(
    files: Files, forge: Callable[[Table], None], sentence: str
) -> None:
    files.edit(files.report, forge)
    found = files.verify(alone=True)
    assert not found.consistent
    assert found.consistency.startswith("Not consistent: ")
    assert "says nothing about who ran it" in found.signature
    assert re.search(sentence, found.consistency), found.consistency


def test_a_forged_report_is_also_rejected_by_what_was_signed(files: Files) -> None:
    files.edit(files.report, softer_sentence)
    found = files.verify()
    assert "the configuration does not hold report.json as it is in the report" in found.consistency
    assert found.key is None


def recomputed(files: Files, outcome: Outcome) -> None:
    """Turn the failure into *outcome* and compute all that follows from it."""
    report = Report.model_validate_json(files.report.read_bytes())
    (target,) = report.targets
    changed = [made.record(r.clause, outcome) if r.outcome is Outcome.FAILED else r for r in target.records]
    again = build_report(made.run(), [made.target(waivers=target.waivers)], changed, finished=made.FINISHED)
    files.report.write_bytes(report_bytes(again))


def test_a_forgery_that_computes_everything_again_is_not_told_without_a_signature_and_the_sentence_says_so(
    files: Files,
) -> None:
    recomputed(files, Outcome.PASSED)
    files.reissue()
    found = verify(files.report, files.binary, attestation_path=files.attestation, at=AT)
    assert found.consistent
    assert found.signature == ("Unsigned: says nothing about who ran it; whoever can run the kit can write such files.")


def test_a_forgery_that_computes_everything_again_breaks_the_attestation_it_came_with(files: Files) -> None:
    recomputed(files, Outcome.PASSED)
    found = verify(files.report, files.binary, attestation_path=files.attestation, at=AT)
    assert not found.consistent
    assert 'result is "FAILED", and by the report "WARNED"' in found.consistency


def test_a_forgery_that_also_writes_the_attestation_again_breaks_the_signature(files: Files) -> None:
    recomputed(files, Outcome.PASSED)
    files.reissue()
    found = files.verify()
    assert not found.consistent
    assert "certificate.json: payload: result is" in found.consistency


def test_two_reports_pasted_into_one_are_rejected(files: Files) -> None:
    def paste(report: Table) -> None:
        other = json.loads(report_bytes(made.kept_report()))["targets"][0]
        report["targets"].append(other | {"name": "second"})

    files.edit(files.report, paste)
    found = files.verify(alone=True)
    assert "second: clause" in found.consistency
    assert "is of target provider" in found.consistency


def test_the_better_half_of_another_report_pasted_in_is_rejected(files: Files) -> None:
    better = json.loads(report_bytes(made.kept_report()))["targets"][0]["clauses"]

    def paste(report: Table) -> None:
        report["targets"][0]["clauses"] = better

    files.edit(files.report, paste)
    assert "verdict of profile standard: its ruling is 'broken'" in files.verify(alone=True).consistency


def test_there_are_more_than_forty_distinct_forgeries() -> None:
    names = {forge.__name__ for forge, _ in REPORT_FORGERIES}
    assert len(names) == len(REPORT_FORGERIES) >= 40


def test_the_levels_that_the_reports_need_are_in_the_edition() -> None:
    assert len(made.due_ids(Level.MUST)) > 5
    assert made.due_ids(Level.SHOULD)
