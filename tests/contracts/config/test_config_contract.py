"""The configuration contract acquits correct providers, whatever they chose, and convicts each faulty one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nomos_contracts.clause import Level, clauses_of
from nomos_contracts.config.fetch import malformed_paths
from nomos_contracts.config.samples import ConfigSamples

PROMISES_NEITHER = ("no-wildcard", "no-index")
HABITS = [(), ("refuse-reinit", "refuse-unknown", "empty-path-refused"), ("keep-first", *PROMISES_NEITHER)]

FAULTS = {
    "CFG-INIT-002": ["MissingKeyDefaults"],
    "CFG-INIT-003": ["SecondBadInitTaken"],
    "CFG-INIT-004": ["NullIsText"],
    "CFG-INIT-005": ["DependencyInvalid"],
    "CFG-INIT-006": ["InitInternal"],
    "CFG-INIT-007": ["AliasStripped", "AliasOptional"],
    "CFG-INIT-009": ["DeadAfterFailedInit"],
    "CFG-INIT-010": ["NoStrings"],
    "CFG-INIT-011": ["RelativeToWorkingFolder"],
    "CFG-INIT-012": ["CrashWithoutConfig"],
    "CFG-INIT-013": ["HalfPublished"],
    "CFG-REINIT-001": ["ReinitForgets", "ReinitInternal"],
    "CFG-REINIT-003": ["EmptyReinitRefused", "EmptyReinitTaken"],
    "CFG-REINIT-004": ["RefusedReinitSpoils"],
    "CFG-REINIT-005": ["MergedConfigs", "FallsBack", "ModeStays"],
    "CFG-REINIT-006": ["HalfPublished"],
    "CFG-FETCH-001": ["LazyDefault", "FailedInitCounts"],
    "CFG-FETCH-002": ["ParentForScalar", "MissingIsNull", "DeepMissingInvalid"],
    "CFG-FETCH-003": ["EmptyLastIgnored", "EmptySegmentNotFound"],
    "CFG-FETCH-004": ["DotSkipped", "BackslashSplits", "Unquoted", "NaiveJoin"],
    "CFG-FETCH-005": ["RootUnknown"],
    "CFG-FETCH-006": ["LongPathCrash", "LongNameUnknown"],
    "CFG-FETCH-007": ["ForbiddenNotFound"],
    "CFG-FETCH-008": ["BrokenIsUnknown", "BrokenIsEmpty"],
    "CFG-FETCH-010": ["PrefixMatch", "ReadsAttributes", "TrimsNames", "IndexLoose", "IgnoresCase", "DecodesKeys"],
    "CFG-PATH-001": ["NaiveJoin", "NaiveJoinAll", "PrefixRoot", "DecodedAfterCheck"],
    "CFG-PATH-002": ["LinkFollowed", "LinkComparedAsText"],
    "CFG-VALUE-001": ["NumbersAreText", "EmptyListDropped", "WrongSecondTime", "TextWhenAlone"],
    "CFG-VALUE-002": ["NullUnset"],
    "CFG-VALUE-003": ["NotANumber", "KindUnset"],
    "CFG-VALUE-004": ["WrapsUnderResult"],
    "CFG-VALUE-005": ["WildcardList"],
    "CFG-VALUE-006": ["IndexFromOne"],
    "CFG-VALUE-009": ["HugeAnswer"],
    "CFG-VALUE-010": ["AsciiOnly", "CutWithinCharacters"],
    "CFG-CONC-001": ["SharedCursor"],
    "CFG-CONC-002": ["LockedWait"],
    "CFG-DEADLINE-001": ["LockedWait", "SpinsOn", "PollsOn", "SickOfCallers"],
    "CFG-DEADLINE-002": ["CancelLeaksSlot"],
    "CFG-INFO-001": ["InfoNeedsInit"],
    "CFG-INFO-002": ["VersionWithV", "VersionLeadingZero"],
    "CFG-INFO-003": ["VersionWithV"],
    "CFG-INFO-004": ["TypeChanges", "TypeEmpty"],
    "CFG-INFO-006": ["AliasTakenFirst"],
    "CFG-HEALTH-001": ["HealthNeedsInit"],
    "CFG-HEALTH-002": ["AlwaysStarting"],
    "CFG-HEALTH-003": ["StatusUnset"],
    "CFG-HEALTH-005": ["DegradedIsOk"],
    "CFG-HEALTH-007": ["TiredHealth"],
    "CFG-HEALTH-009": ["HealthWaits"],
    "CFG-ERROR-001": ["MuteRefusal"],
    "CFG-ERROR-002": ["NamelessKey"],
    "CFG-ERROR-003": ["NamelessKey"],
    "CFG-ERROR-005": ["HeaderSegmentUnknown"],
    "CFG-SECRET-001": ["PrintsConfig", "LogsConfig", "LogsConfigAtDebug", "LogsConfigInHex", "LogsConfigInBase64"],
    "CFG-SECRET-002": ["LogsToken"],
    "CFG-SECRET-003": ["QuotesScalar", "LogsValues", "LogsValuesAtDebug"],
}


@pytest.mark.parametrize("habits", HABITS, ids=lambda habits: "+".join(habits) or "plain")
def test_a_correct_provider_is_acquitted(target: Callable[..., Any], habits: tuple[str, ...]) -> None:
    judge = target(*habits)
    outcomes = judge.judge()
    table = clauses_of(("config",))
    cli_only = {"CFG-REINIT-003"} if "refuse-reinit" in habits else set()
    bad = [i for i, o in outcomes.items() if o in {"failed", "blocked"} and table[i].level is Level.MUST]
    assert set(bad) <= cli_only, judge.explained(bad)


def test_names_that_only_resemble_something_may_exist(target: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    app = {
        "name": "shop",
        "name ": "of its own",
        "name\u0301": "of its own, too",
        "tags": ["a", "b"],
        "tags[0]": "no element",
        "constructor": {"team": "red"},
    }
    documents = {"name": "platform", "app": app, "constructor": {"team": "blue"}}
    for name, document in documents.items():
        text = json.dumps(document if isinstance(document, dict) else {"value": document})
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    values = [
        {"path": ["app", "name"], "value": "shop"},
        {"path": ["name", "value"], "value": "platform"},
        {"path": ["app", "tags"], "value": ["a", "b"]},
        {"path": ["constructor", "team"], "value": "blue"},
        {"path": ["app", "constructor", "team"], "value": "red"},
    ]
    judge = target("no-index", "no-wildcard")
    judge.config = {**judge.config, "directory": str(tmp_path)}
    judge.samples = ConfigSamples.model_validate({"values": values})
    outcomes = judge.judge("CFG-FETCH-004", "CFG-FETCH-010", "CFG-VALUE-001", "CFG-VALUE-010")
    assert set(outcomes.values()) == {"passed"}, judge.explained(list(outcomes))


@pytest.mark.parametrize("names", [("key", "a"), ("name",), ("a", "app"), ("x", "y", "zz")], ids="/".join)
def test_a_malformed_path_holds_a_segment_that_is_no_name(names: tuple[str, ...]) -> None:
    values = [{"path": list(names[: depth + 1]), "value": "x"} for depth in range(len(names))]
    samples = ConfigSamples.model_validate({"values": values})
    found = list(malformed_paths(samples, Random(3)))
    assert found
    no_name = re.compile(r"\.{1,2}|.*([/\\\0]|%(25)*(00|2e|2f|5c)).*", re.IGNORECASE | re.DOTALL)
    assert [path for path in found if not any(no_name.fullmatch(segment) for segment in path)] == []


def test_the_plain_provider_keeps_every_recommendation_too(target: Callable[..., Any]) -> None:
    judge = target()
    wanted = [i for i, c in clauses_of(("config",)).items() if c.level is not Level.MUST and c.testable]
    outcomes = judge.judge(*wanted)
    assert {i for i, o in outcomes.items() if o == "failed"} == set(), judge.explained(wanted)


@pytest.mark.parametrize(
    ("clause_id", "fault"), [(clause_id, fault) for clause_id, faults in FAULTS.items() for fault in faults]
)
def test_a_faulty_provider_is_convicted(target: Callable[..., Any], clause_id: str, fault: str) -> None:
    judge = target(fault)
    assert judge.judge(clause_id) == {clause_id: "failed"}, judge.explained([clause_id])


def test_what_is_no_matter_of_characters_breaks_no_clause_about_them(target: Callable[..., Any]) -> None:
    judge = target("NumbersLost")
    outcomes = judge.judge("CFG-VALUE-001", "CFG-VALUE-010")
    assert outcomes == {"CFG-VALUE-001": "failed", "CFG-VALUE-010": "passed"}, judge.explained(list(outcomes))


def test_every_testable_clause_has_a_check_and_every_must_a_fault_here(target: Callable[..., Any]) -> None:
    tried = target().clauses()
    table = clauses_of(("config",))
    testable = {i for i, c in table.items() if c.testable and not i.startswith(("CFG-SCHED", "CFG-CHAOS-011"))}
    assert tried == testable
    # What faults break for good has mutants, and a provider in one process has no front that could be faulty.
    faulty = {i for i in testable if table[i].level is Level.MUST and not i.startswith("CFG-CHAOS")}
    assert faulty - set(FAULTS) == {"CFG-INIT-001"}


def test_without_any_sample_what_is_left_is_judged(target: Callable[..., Any], samples: dict[str, Any]) -> None:
    judge = target(without=list(samples))
    outcomes = judge.judge()
    failed = [clause_id for clause_id, outcome in outcomes.items() if outcome == "failed"]
    assert not failed, judge.explained(failed)
    assert outcomes["CFG-FETCH-002"] == outcomes["CFG-PATH-001"] == outcomes["CFG-HEALTH-007"] == "passed"
