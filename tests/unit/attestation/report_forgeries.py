"""Edits of a report, each with what verification says of it."""

from __future__ import annotations

import copy
from collections.abc import Callable

from unit.attestation.bundle import Table


def clauses(report: Table, outcome: str) -> list[Table]:
    return [c for c in report["targets"][0]["clauses"] if c["outcome"] == outcome]


def failed_to_passed(report: Table) -> None:
    clauses(report, "failed")[0]["outcome"] = "passed"


def failed_record_to_passed(report: Table) -> None:
    clauses(report, "failed")[0]["checks"][0]["outcome"] = "passed"


def failed_to_passed_everywhere(report: Table) -> None:
    clause = clauses(report, "failed")[0]
    clause["outcome"] = clause["checks"][0]["outcome"] = "passed"


def failed_to_warned(report: Table) -> None:
    clause = clauses(report, "failed")[0]
    clause["outcome"] = clause["checks"][0]["outcome"] = "warned"


def failed_to_waived(report: Table) -> None:
    clause = clauses(report, "failed")[0]
    clause["outcome"] = clause["checks"][0]["outcome"] = "waived"


def failed_to_should(report: Table) -> None:
    clause = clauses(report, "failed")[0]
    clause["level"] = clause["checks"][0]["level"] = "SHOULD"
    clause["outcome"] = clause["checks"][0]["outcome"] = "warned"


def ruling_kept(report: Table) -> None:
    report["targets"][0]["verdicts"]["standard"]["ruling"] = "kept"


def count_moved(report: Table) -> None:
    counts = report["targets"][0]["verdicts"]["standard"]["counts"]
    counts["failed"] -= 1
    counts["passed"] += 1


def broken_emptied(report: Table) -> None:
    report["targets"][0]["verdicts"]["standard"]["broken"] = []


def smaller_denominator(report: Table) -> None:
    report["targets"][0]["verdicts"]["standard"]["due"] -= 1


def verdict_dropped(report: Table) -> None:
    del report["targets"][0]["verdicts"]["cli"]


def target_exit_code(report: Table) -> None:
    report["targets"][0]["exit_code"] = 0


def run_exit_code(report: Table) -> None:
    report["exit_code"] = 0


def failed_clause_left_out(report: Table) -> None:
    report["targets"][0]["clauses"].remove(clauses(report, "failed")[0])


def failed_check_left_out(report: Table) -> None:
    clauses(report, "failed")[0]["checks"] = []


def clause_twice(report: Table) -> None:
    report["targets"][0]["clauses"].append(clauses(report, "passed")[0])


def check_twice(report: Table) -> None:
    clause = clauses(report, "passed")[0]
    clause["checks"].append(clause["checks"][0])


def unknown_clause(report: Table) -> None:
    clause = copy.deepcopy(clauses(report, "passed")[0])
    clause["id"] = clause["checks"][0]["clause"] = "CFG-MADEUP-001"
    clause["checks"][0]["node"] += "-up"
    report["targets"][0]["clauses"].append(clause)


def clauses_in_another_order(report: Table) -> None:
    report["targets"][0]["clauses"].reverse()


def softer_sentence(report: Table) -> None:
    clauses(report, "passed")[0]["sentence"] = "A provider may do as it likes."


def not_due(report: Table) -> None:
    clauses(report, "failed")[0]["due"] = []


def check_of_another_clause(report: Table) -> None:
    first, second = clauses(report, "passed")[:2]
    clauses(report, "failed")[0]["checks"] = [first["checks"][0] | {"node": second["checks"][0]["node"] + "x"}]


def check_of_another_target(report: Table) -> None:
    clauses(report, "passed")[0]["checks"][0]["target"] = "another"


def other_edition(report: Table) -> None:
    report["targets"][0]["edition"] = "2020-01"


def edition_digest(report: Table) -> None:
    report["targets"][0]["edition_digest"] = "0" * 64


def smaller_tier(report: Table) -> None:
    report["targets"][0]["tier"] = "testing"


def other_profile(report: Table) -> None:
    report["targets"][0]["profile"] = "cli"
    report["targets"][0]["exit_code"] = 0


def other_interface(report: Table) -> None:
    report["targets"][0]["interface"] = "poetry"


def waiver_expired(report: Table) -> None:
    report["targets"][0]["waivers"][0]["expires"] = "2025-01-01"


def waiver_dropped(report: Table) -> None:
    report["targets"][0]["waivers"] = []
    report["targets"][0]["waiver_states"] = []


def waiver_for_another_target(report: Table) -> None:
    report["targets"][0]["waivers"][0]["target"] = "another"


def waiver_state(report: Table) -> None:
    report["targets"][0]["waiver_states"][0]["state"] = "unused"


def incomplete(report: Table) -> None:
    report["complete"] = False


def complete_without_end(report: Table) -> None:
    report["finished"] = None


def ended_before_it_began(report: Table) -> None:
    report["finished"] = "2025-11-20T11:00:00Z"


def from_the_future(report: Table) -> None:
    report["started"], report["finished"] = "2026-01-01T00:00:00Z", "2026-01-01T00:00:07Z"


def one_shard_only(report: Table) -> None:
    report["shard"] = "1/2"


def no_target(report: Table) -> None:
    report["targets"] = []
    report["exit_code"] = 10


def target_twice(report: Table) -> None:
    report["targets"] *= 2


def file_changed_during_the_run(report: Table) -> None:
    report["targets"][0]["subject"]["sha256_after"] = "1" * 64


def file_not_hashed_at_the_end(report: Table) -> None:
    report["targets"][0]["subject"]["sha256_after"] = None


def file_of_another_digest(report: Table) -> None:
    report["targets"][0]["subject"] |= {"sha256": "2" * 64, "sha256_after": "2" * 64}


def file_of_another_size(report: Table) -> None:
    report["targets"][0]["subject"]["size"] += 1


def no_file(report: Table) -> None:
    report["targets"][0]["subject"] = None


def other_kit_files(report: Table) -> None:
    report["kit_digest"] = "3" * 64


def samples_taken_away(report: Table) -> None:
    report["targets"][0]["samples"]["given"] = []


def blocked_by_a_given_sample(report: Table) -> None:
    clause = clauses(report, "failed")[0]
    clause["outcome"] = clause["checks"][0]["outcome"] = "blocked"
    clause["blocked_by"] = ["sample:values"]
    clause["checks"][0]["blocked_by"] = "sample:values"


def blocked_by_nothing(report: Table) -> None:
    clauses(report, "failed")[0]["checks"][0]["outcome"] = "blocked"


def untestable_left_out(report: Table) -> None:
    report["targets"][0]["untestable"] = []


def other_format(report: Table) -> None:
    report["format"] = "nomos-report/0"


def unknown_field(report: Table) -> None:
    report["note"] = "trust me"


def field_left_out(report: Table) -> None:
    del report["targets"][0]["transport"]


def outcome_that_is_none(report: Table) -> None:
    clauses(report, "failed")[0]["outcome"] = "splendid"


def number_as_text(report: Table) -> None:
    report["targets"][0]["seed"] = "7"


def truth_as_number(report: Table) -> None:
    report["complete"] = 1


REPORT_FORGERIES: list[tuple[Callable[[Table], None], str]] = [
    (failed_to_passed, r"clause \S+: its outcome is 'passed'; computed again it is 'failed'"),
    (failed_record_to_passed, r"its outcome is 'failed'; computed again it is 'passed'"),
    (failed_to_passed_everywhere, r"verdict of profile standard: its ruling is 'broken'; computed again it is 'kept'"),
    (failed_to_warned, r"only warned of a MUST"),
    (failed_to_waived, r"is waived, and no waiver covers it"),
    (failed_to_should, r"has the level SHOULD, the clause MUST"),
    (ruling_kept, r"verdict of profile standard: its ruling is 'kept'; computed again it is 'broken'"),
    (count_moved, r"verdict of profile standard: its counts is not"),
    (broken_emptied, r"verdict of profile standard: its broken is not"),
    (smaller_denominator, r"verdict of profile standard: its due is '\d+'; computed again"),
    (verdict_dropped, r"the verdict of profile cli is left out"),
    (target_exit_code, r"its exit code is '0'; computed again it is '1'"),
    (run_exit_code, r"its exit code is 0; computed again it is 1"),
    (failed_clause_left_out, r"was due and is left out"),
    (failed_check_left_out, r"its outcome is 'failed'; computed again it is 'not_run'"),
    (clause_twice, r"stands 2 times"),
    (check_twice, r"the check \S+ stands 2 times"),
    (unknown_clause, r"there is no clause CFG-MADEUP-001"),
    (clauses_in_another_order, r"do not stand in the order of the tables"),
    (softer_sentence, r"its sentence is 'A provider may do as it likes.'"),
    (not_due, r"its due is not what it is when computed again"),
    (check_of_another_clause, r"the check \S+ is of clause"),
    (check_of_another_target, r"the check \S+ is of target another"),
    (other_edition, r"there is no edition '2020-01'"),
    (edition_digest, r"is not the one that this release ships"),
    (smaller_tier, r"computed again"),
    (other_profile, r"its exit code is '0'; computed again it is '1'"),
    (other_interface, r"there is no contract for interface 'poetry'"),
    (waiver_expired, r"is waived, and the waiver had expired"),
    (waiver_dropped, r"is waived, and no waiver covers it"),
    (waiver_for_another_target, r"is waived, and no waiver covers it"),
    (waiver_state, r"its waiver states is not"),
    (incomplete, r"the run did not come to its end"),
    (complete_without_end, r"marked complete and names no end"),
    (ended_before_it_began, r"it ended .* before it began"),
    (from_the_future, r"it began in the future"),
    (one_shard_only, r"it holds the shard 1/2 only"),
    (no_target, r"it holds no target"),
    (target_twice, r"target provider stands 2 times"),
    (file_changed_during_the_run, r"provider was changed during the run"),
    (file_not_hashed_at_the_end, r"provider was not hashed after the last stop"),
    (file_of_another_digest, r"the report is about another file"),
    (file_of_another_size, r"has \d+ bytes, not \d+"),
    (no_file, r"the report is about no file"),
    (other_kit_files, r"made by files that are not those of pytest-nomos"),
    (samples_taken_away, r"was judged without a sample"),
    (blocked_by_a_given_sample, r"is blocked by sample:values, which was given"),
    (blocked_by_nothing, r"a blocked check says by what"),
    (untestable_left_out, r"its untestable is not"),
    (other_format, r"has the format 'nomos-report/0'"),
    (unknown_field, r"note: Extra inputs are not permitted"),
    (field_left_out, r"holds fields or values that this kit does not write"),
    (outcome_that_is_none, r"outcome: Input should be"),
    (number_as_text, r"seed: Input should be a valid integer"),
    (truth_as_number, r"complete: Input should be a valid boolean"),
]
