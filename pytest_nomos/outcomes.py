"""Outcomes: what a check raised, told truthfully to pytest, to JUnit, to workers and to the record of the run."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, cast

import pytest

from nomos_contracts.clause import Clause, Level
from nomos_contracts.process.interface import GOOD_INIT
from nomos_contracts.verdict import Outcome
from nomos_contracts.violation import Blocked, NotApplicable, Violation
from pytest_nomos.collection import CLAUSE, TARGET
from pytest_nomos.report.model import CheckRecord
from pytest_nomos.report.replay import exchanges, mask, replay_line
from pytest_nomos.report.timeline import KEY, compact, timelines_in
from pytest_nomos.session.replaying import REPLAYED, write_schedule
from pytest_nomos.session.reporting import secrets_of
from pytest_nomos.session.run import Run
from pytest_nomos.session.verdicts import ANSWERED, NO_CONFIG, conclude
from pytest_nomos.targets.plan import TargetPlan

WORDS: Mapping[Outcome, tuple[str, str, str]] = {
    # Categories are pytest's own, so that `-ra` lists each report under our word; only `blocked` is ours.
    Outcome.NOT_APPLICABLE: ("skipped", "n", "N/A"),
    Outcome.BLOCKED: ("error", "B", "BLOCKED"),
    Outcome.WAIVED: ("xfailed", "w", "WAIVED"),
    Outcome.UNEXPECTED_PASS: ("failed", "U", "UNEXPECTED PASS"),
    Outcome.WARNED: ("xfailed", "a", "WARNED"),
}
_BY_RUN = frozenset({"kit", "environment"})
"""What blocks a check by itself; whatever else does so is told once for all checks, by the verdict."""
_EXCUSED = "not claimed"
_OVER: Mapping[str, str] = {"inproc": "in process", "wire": "over the wire"}
_NO_REFUSAL = frozenset({"OK", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "CANCELLED"})
MOST_LINES = 8
LONGEST_LINE = 240
LONGEST_REPLAY = 4000
LONGEST_TEXT = 2000
TIMELINE_WIDTH = 100
CRASHED = "???"
"""What pytest-xdist writes for `when` in the report of a check whose worker died."""


class Outcomes:
    """The hooks that judge reports, keep the record of the run and set the exit code."""

    def __init__(self, run: Run, config: pytest.Config) -> None:
        self._run = run
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Block a check whose sample is missing, before anything is started for it."""
        clause_id = item.stash.get(CLAUSE, None)
        if clause_id is None:
            return
        plan = self._run.plans[item.stash[TARGET]]
        clause = self._run.clauses[clause_id]
        if plan.transport not in clause.transports:
            raise NotApplicable(f"tried only {' and '.join(_OVER[one] for one in clause.transports)}")
        declared = self._run.capabilities(plan.name)
        missing = [name for name in clause.capabilities if name not in declared]
        preview = self._run.previews.get(plan.name)
        # Nobody knows what a provider declares that cannot be made: its fixtures say why.
        if missing and not (plan.is_function_interface and preview is not None and preview.failure):
            raise NotApplicable(f"capability {', '.join(missing)} is not declared")
        if clause.samples and self._run.about_process(clause_id, plan.name):
            raise NotApplicable(f"a provider of {plan.interface} names no {' or '.join(clause.samples)} to be fetched")
        samples = plan.settings.typed_samples()
        for name in clause.samples:
            if name in plan.settings.declined:
                raise NotApplicable(f"declined by the author: {plan.settings.declined[name]}")
            if not getattr(samples, name):
                preview = self._run.previews.get(plan.name)
                if preview is not None and preview.broke:
                    raise Blocked(f"clause:{preview.broke}", "the provider does not start")
                raise Blocked(f"sample:{name}", f"nomos.toml gives no sample `{name}`")

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """After a check on the shared process, see that the provider is still well: its death belongs to this check."""
        if CLAUSE not in pyfuncitem.stash:
            return (yield)
        run = self._run.pool.run(pyfuncitem.stash[TARGET])
        target = run.faces if run.plan.is_function_interface else run
        shared = "nomos_provider" in pyfuncitem.fixturenames
        try:
            result = yield
            if shared:
                target.settle()
        except AssertionError as error:
            target.distrust(error, shared=shared)
            raise
        except Blocked as blocked:
            if run.plan.is_function_interface and blocked.by == f"clause:{GOOD_INIT}":
                # That clause is one of another interface; as where it cannot be made, its author has to look.
                raise Blocked("author", blocked.reason) from blocked
            raise
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the report of a check, after pytest's own handling of xfail."""
        report = yield
        clause_id = item.stash.get(CLAUSE, None)
        if clause_id is None or (report.when != "call" and call.excinfo is None):
            return report
        clause = self._run.clauses[clause_id]
        error = call.excinfo.value if call.excinfo else None
        record = self._judge(item, clause, error, report)
        self._tell(report, record, clause, item)
        report.__dict__["nomos"] = record  # travels to the controller with the report's other fields
        item.user_properties.extend(
            [("nomos.clause", clause_id), ("nomos.level", clause.level.value), ("nomos.outcome", record["outcome"])]
        )
        report.user_properties = list(item.user_properties)
        return report

    def _judge(
        self, item: pytest.Item, clause: Clause, error: BaseException | None, report: pytest.TestReport
    ) -> dict[str, Any]:
        """Return the record of a check: plain types only, so that it crosses to the controller as it is."""
        target = item.stash[TARGET]
        run = self._run
        record: dict[str, Any] = {
            "node": item.nodeid,
            "target": target,
            "clause": clause.id,
            "outcome": Outcome.PASSED.value,
            "blocked_by": "",
            "level": clause.level.value,
            "expected": "",
            "got": "",
            "mend": "",
            "reason": "",
            "exchanges": [],
            "replay": "",
            "observed": item.stash.get(OBSERVED, dict[str, Any]()),
            "evidence": {},
            "duration": report.duration,
        }
        waiver = run.waiver(clause.id, target)
        if run.plans[target].lacks_config:
            error = _for_want_of_config(error, clause)
        # A reason may quote an answer too.
        hidden = () if error is None and waiver is None else secrets_of(run.plans[target])
        match error:
            case None if waiver is not None and report.failed:
                record |= {"outcome": Outcome.UNEXPECTED_PASS.value, "reason": f"waived, and yet kept: {waiver.reason}"}
            case None:
                pass
            case NotApplicable():
                record |= {"outcome": Outcome.NOT_APPLICABLE.value, "reason": str(error)}
            case Blocked():
                record |= {"outcome": Outcome.BLOCKED.value, "blocked_by": error.by, "reason": error.reason}
            case AssertionError():
                record |= self._violation(error, clause, target, hidden)
                if waiver is not None:
                    excused = not (self._config.getoption("runxfail", False))
                    record["outcome"] = (Outcome.WAIVED if excused else Outcome.FAILED).value
                    record["reason"] = waiver.reason
            case pytest.skip.Exception() | pytest.xfail.Exception():
                record |= {"outcome": Outcome.BLOCKED.value, "blocked_by": "author", "reason": str(error)}
            case _:
                by = "author" if run.replaced_fixtures else "kit"
                record |= {
                    "outcome": Outcome.BLOCKED.value,
                    "blocked_by": by,
                    "reason": f"{type(error).__name__}: {error}",
                }
        record |= {name: mask(record[name], hidden) for name in ("expected", "got", "reason", "evidence")}
        return CheckRecord.model_validate(record).model_dump(mode="json")

    def _violation(self, error: AssertionError, clause: Clause, target: str, hidden: tuple[str, ...]) -> dict[str, Any]:
        outcome = Outcome.FAILED if clause.level is Level.MUST else Outcome.WARNED
        found: dict[str, Any] = {"outcome": outcome.value, "mend": clause.mend, "got": str(error)}
        if isinstance(error, Violation):
            answers = error.answers
            plan = self._run.plans[target]
            good = plan.good_config(self._run.profile(target))
            found |= {
                "expected": error.expected,
                "got": error.got,
                "evidence": error.evidence,
                "exchanges": exchanges(answers, hidden),
                "replay": self._replay(error, clause, plan, good),
            }
        return found

    def _replay(self, error: Violation, clause: Clause, plan: TargetPlan, good: Mapping[str, Any]) -> str:
        """Return the line that shows the violation again: the whole check where it takes more than one call."""
        # What a provider of a function interface answers depends on what was called before.
        if clause.id in REPLAYED and "schedule" in error.evidence:
            line = write_schedule(self._run, plan, clause.id, error.evidence["schedule"])
            if line:
                return line
        line = replay_line(plan.spec, error.answers[-1], good) if error.answers else ""
        long = len(line) > LONGEST_REPLAY
        several = "schedule" in error.evidence or (plan.is_function_interface and (len(error.answers) != 1 or long))
        if several:
            seed = f"--nomos-seed={self._run.seed}"
            over = f" --nomos-transport={plan.transport}" if plan.twin else ""
            return f"pytest --nomos-provider={plan.spec}{over} {seed} -k {clause.id}"
        return f"{line} --transport={plan.transport}" if line and plan.twin else line

    def _tell(self, report: pytest.TestReport, record: Mapping[str, Any], clause: Clause, item: pytest.Item) -> None:
        """Tell pytest what the record says."""
        outcome = Outcome(record["outcome"])
        path, line, _ = item.location
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        if outcome is Outcome.NOT_APPLICABLE:
            report.outcome = "skipped"
            report.longrepr = (str(path), (line or 0) + 1, f"not applicable: {record['reason']}")
        elif outcome is Outcome.BLOCKED and record["blocked_by"].startswith("clause:"):
            report.outcome = "skipped"
            report.longrepr = (str(path), (line or 0) + 1, f"blocked by {record['blocked_by']}: {record['reason']}")
        elif outcome is Outcome.BLOCKED:
            # A failed call would be a failure in JUnit and FAILED in the terminal; only set-up gives an error.
            report.outcome = "failed"
            report.when = "setup"
            report.longrepr = explain(record, clause)
        elif outcome in {Outcome.WARNED, Outcome.WAIVED}:
            report.outcome = "skipped"
            report.wasxfail = record["reason"] or f"expected {record['expected']}, got {record['got']}"
            report.longrepr = (str(path), (line or 0) + 1, explain(record, clause))
        elif outcome is Outcome.FAILED and self._run.profile(item.stash[TARGET]) not in clause.profiles:
            report.outcome = "skipped"
            report.wasxfail = f"{_EXCUSED}: only due in profile {', '.join(clause.profiles)}"
            report.longrepr = (str(path), (line or 0) + 1, explain(record, clause))
        elif outcome in {Outcome.FAILED, Outcome.UNEXPECTED_PASS}:
            report.outcome = "failed"
            report.longrepr = explain(record, clause)
        else:
            report.outcome = "passed"
            report.longrepr = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
        """Name our outcomes in the progress line and the summary."""
        record = getattr(report, "nomos", None)
        if record is None:
            return None
        outcome = Outcome(record["outcome"])
        if outcome is Outcome.BLOCKED and record["blocked_by"] not in _BY_RUN:
            return "blocked", "b" if report.skipped else "B", "BLOCKED"
        if outcome is Outcome.FAILED and report.skipped:
            return "xfailed", "o", "NOT CLAIMED"
        return WORDS.get(outcome)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the record of each check, and write it to disk at once (controller only)."""
        run = self._run
        if run.worker:
            return
        record = getattr(report, "nomos", None)
        if record is None and str(report.when) == CRASHED:
            record = self._crashed(report)
        if record is None:
            return
        if run.stream is not None:
            run.stream.append(CheckRecord.model_validate(record))

    def _crashed(self, report: pytest.TestReport) -> dict[str, Any] | None:
        """Return the record of a check whose worker died; its report knows nothing of clause and target."""
        path, _, rest = report.nodeid.partition("::")
        found = clause_at(path, rest.partition("[")[0])
        target = rest.partition("[")[2].rstrip("]")
        if found is None or target not in self._run.plans:
            return None
        return {
            "node": report.nodeid,
            "target": target,
            "clause": found,
            "outcome": Outcome.BLOCKED.value,
            "blocked_by": "kit",
            "level": self._run.clauses[found].level.value,
            "reason": "the worker that ran this check died",
            "duration": 0.0,
        }

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the report and set the exit code by the verdicts (controller only)."""
        run = self._run
        if run.worker or session.config.getoption("collectonly"):
            return
        broken_off = bool(session.shouldstop or session.shouldfail) or int(exitstatus) in {2, 3, 4}
        session.exitstatus = conclude(run, int(exitstatus), complete=not broken_off)


OBSERVED = pytest.StashKey[dict[str, Any]]()


def clause_at(path: str, names: str) -> str | None:
    """Return the clause of the check with node id ``path::names``, None where there is none."""
    import importlib

    parts = path.removeprefix("nomos/").removesuffix(".py").split("/")
    found: Any = None
    if path.startswith("nomos/") and all(part.isidentifier() for part in parts):
        found = importlib.import_module("nomos_contracts." + ".".join(parts))
        for name in names.split("::"):
            found = getattr(found, name, None)
    return getattr(found, "__nomos_clause__", None)


def _for_want_of_config(error: BaseException | None, clause: Clause) -> BaseException | None:
    """Return *error*; where Init was refused for want of a configuration that nobody gave, what says so.

    An answer is no verdict then: the author of the provider may be right to refuse, and he has to give a configuration.
    """
    refusal = ""
    if isinstance(error, Violation) and clause.id == GOOD_INIT:
        last = error.answers[-1] if error.answers else None
        if last is not None and last.method == "Init" and not last.gone and last.code not in _NO_REFUSAL:
            refusal = f"{ANSWERED} {last.code} {last.message!r}"
    elif isinstance(error, Blocked) and error.by == f"clause:{GOOD_INIT}":
        refusal = f"{NO_CONFIG}, and Init without keys fails"
    return Blocked("author", refusal) if refusal else error


def explain(record: Mapping[str, Any], clause: Clause) -> str:
    """Return what a person reads of a check that was not kept: clause, source, what was seen, mend, replay."""
    import json

    lines = [f"{clause.id} ({clause.level}): {clause.sentence}", f"  source    {'; '.join(clause.sources)}"]
    if record["outcome"] == Outcome.BLOCKED.value:
        lines.append(f"  blocked   by {record['blocked_by']}: {record['reason']}")
        return "\n".join(lines)
    if record.get("expected"):
        lines.append(f"  expected  {record['expected']}")
    if record.get("got"):
        lines.append(f"  got       {record['got']}")
    if record.get("reason"):
        lines.append(f"  reason    {record['reason']}")
    lines.append(f"  mend      {clause.mend}")
    lines.extend(
        f"  {name:<9} {_cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"
        for name, value in record.get("evidence", {}).items()
        if value not in (None, "")
    )
    lines.extend(
        f"  exchange  {json.dumps(_without_length(exchange), ensure_ascii=False)}"
        for exchange in record.get("exchanges", [])[-3:]
    )
    if record.get("replay"):
        lines.append(f"  replay    {record['replay']}")
    if KEY in record.get("observed", {}):
        for timeline in timelines_in(record["observed"]):
            first, *others = compact(timeline, TIMELINE_WIDTH).splitlines()
            lines += [f"  timeline  {first}", *(f"            {line}" for line in others)]
    return "\n".join(lines)


def _without_length(value: Any) -> Any:
    """Return plain *value* with long texts cut: the report holds all of them."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_LINE]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {_without_length(key): _without_length(one) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_without_length(one) for one in cast("Sequence[Any]", value)]
    return value


def _cut(text: str) -> str:
    """Return the last lines of *text*, indented, and long ones cut: the report holds all of it."""
    last = text.rstrip("\n").split("\n")[-MOST_LINES:]
    return "\n            ".join(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in last)
