"""The model of a report; its JSON Schema is committed beside it as schema.json.

Configurations, metadata and environments never appear here: only their key names and a digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    model_validator,
)

from nomos_contracts.clause import ClauseId, Level, Profile, Tier
from nomos_contracts.verdict import Outcome, Ruling
from pytest_nomos.report.jsontext import clean, plain, slow_digest
from pytest_nomos.report.waiver import Waiver, WaiverState

FORMAT: Literal["nomos-report/1"] = "nomos-report/1"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, BeforeValidator(lambda value: clean(value) if isinstance(value, str) else value)]
Json = Annotated[JsonValue, BeforeValidator(plain)]
JsonMap = Annotated[dict[str, JsonValue], BeforeValidator(plain)]
BlockedBy = Annotated[
    str, Field(pattern=r"^(|environment|kit|author|sample:[A-Za-z0-9_.-]+|clause:[A-Z]{3,6}-[A-Z]{2,9}-[0-9]{3})$")
]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TargetName = Annotated[str, Field(pattern=r"^[\w.+-]{1,200}$")]


class Part(BaseModel):
    """What each part of a report is: unchangeable, and without fields that nobody knows."""

    # A validator is made when it is first wanted: these are half of what pydantic costs each process of a run.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Exchange(Part):
    """One call and its answer, as `replay.exchange` makes it."""

    method: Text
    request: Json = None
    code: Text
    message: Text = ""
    value: Json = None
    elapsed: Seconds = 0.0


class CheckRecord(Part):
    """What one check of one target gave.

    Attributes:
        node: pytest's id of the check.
        target: name of the target.
        clause: id of the clause that it tried.
        outcome: what became of it.
        blocked_by: ``environment``, ``kit``, ``author``, ``sample:NAME`` or ``clause:ID``; empty unless blocked.
        level: level of the clause.
        expected: what the clause asks for.
        got: what was seen.
        mend: how the author mends it.
        reason: why it was blocked, does not apply or was waived.
        exchanges: the calls that show it, oldest first.
        replay: a command line that makes the last of them again.
        observed: what a check noted, failure or not.
        evidence: further facts of a violation.
        duration: seconds.
    """

    node: Annotated[Text, Field(min_length=1)]
    target: TargetName
    clause: ClauseId
    outcome: Outcome
    blocked_by: BlockedBy = ""
    level: Level
    expected: Text = ""
    got: Text = ""
    mend: Text = ""
    reason: Text = ""
    exchanges: tuple[Exchange, ...] = ()
    replay: Text = ""
    observed: JsonMap = {}
    evidence: JsonMap = {}
    duration: Seconds = 0.0

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.outcome is Outcome.BLOCKED) != bool(self.blocked_by):
            raise ValueError("a blocked check says by what, and no other does")
        if self.outcome is Outcome.NOT_RUN:
            raise ValueError("a check that was not run leaves no record")
        return self


class Subject(Part):
    """The file under test: hashed before its first start and after its last stop (None while the run goes on)."""

    file: Text
    sha256: Sha256
    sha256_after: Sha256 | None = None
    size: Annotated[int, Field(ge=0)]

    @property
    def unchanged(self) -> bool:
        """Whether it was the same file at the end as at the start."""
        return self.sha256 == self.sha256_after


class Redacted(Part):
    """A table of which only the names of its keys and a digest are told; the digest is empty for an empty table."""

    keys: tuple[Text, ...] = ()
    digest: Sha256 | Literal[""] = ""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Redacted:
        """Return what may be told of *table*."""
        return cls(keys=tuple(sorted(map(str, table))), digest=slow_digest(table)) if table else cls()


class Samples(Part):
    """Names of the kinds of samples given, those declined with the author's reasons, and a digest of all."""

    given: tuple[Text, ...] = ()
    declined: dict[str, Text] = {}
    digest: Sha256 | Literal[""] = ""


class Isolation(Part):
    """What the provider was kept apart by: its environment, and whether it ends when the run is killed."""

    environment: Literal["scrubbed", "inherited", "none"] = "scrubbed"
    lifeline: bool = True


class TargetHeader(Part):
    """What is known of a target besides its results.

    Attributes:
        name: its name in ids.
        interface: the interface that it implements.
        subject: the file under test, None where the target has none.
        announcement: form of its announcement: ``PORT``, ``PROVIDER_PORT`` or ``UNIX``; empty where it made none.
        info: what Info answered.
        describe: what Describe answered, empty where it is not implemented.
        profile: the profile claimed; it settles the exit code.
        tier: the tier that was run.
        edition: the edition that it is judged by.
        seed: seed of the random schedules.
        transport: how it was reached.
        twin: name of the same provider reached over the other transport in this run, empty where there is none.
        program: whether it is a program of its author's, for which the clauses about processes are due.
        capabilities: capabilities that it declares.
        limits: the limits that differ from their defaults.
        samples: what the author gave.
        config: the Init configuration.
        metadata: call metadata.
        env: variables added to its environment.
        waivers: the waivers of the settings, all of them.
        settings_digest: digest of the settings of this target (`slow_digest`).
        isolation: what it was kept apart by.
    """

    name: TargetName
    interface: Text
    subject: Subject | None = None
    announcement: Literal["", "PORT", "PROVIDER_PORT", "UNIX"] = ""
    info: JsonMap = {}
    describe: JsonMap = {}
    profile: Profile
    tier: Tier
    edition: Text
    seed: int
    transport: Literal["wire", "inproc"] = "wire"
    twin: Annotated[str, Field(pattern=r"^[\w.+-]{0,200}$")] = ""
    program: bool = False
    capabilities: tuple[Text, ...] = ()
    limits: dict[str, float] = {}
    samples: Samples = Samples()
    config: Redacted = Redacted()
    metadata: Redacted = Redacted()
    env: Redacted = Redacted()
    waivers: tuple[Waiver, ...] = ()
    settings_digest: Sha256
    isolation: Isolation = Isolation()


class ClauseResult(Part):
    """A clause and what became of it: the worst of its checks, or not run.

    Attributes:
        due: the profiles in which the edition counts it at the tier of the run; empty: shown, not counted.
    """

    id: ClauseId
    interface: Text
    level: Level
    tier: Tier
    due: tuple[Profile, ...]
    sentence: Text
    sources: tuple[Text, ...]
    outcome: Outcome
    blocked_by: tuple[BlockedBy, ...] = ()
    checks: tuple[CheckRecord, ...] = ()


class Untestable(Part):
    """A clause that nobody can try from outside, and why."""

    id: ClauseId
    sentence: Text
    reason: Text


class VerdictRecord(Part):
    """The verdict of one profile, as `nomos_contracts.verdict.verdict` gives it."""

    ruling: Ruling
    due: Annotated[int, Field(ge=0)]
    counts: dict[Outcome, int]
    broken: tuple[ClauseId, ...] = ()
    unjudged: tuple[ClauseId, ...] = ()
    uncounted: dict[str, Outcome] = {}


class WaiverRecord(Part):
    """What became of the waiver at the same place in `waivers`."""

    clause: ClauseId
    state: WaiverState
    sentence: Text


class TargetReport(TargetHeader):
    """All about one target.

    Attributes:
        edition_digest: SHA-256 of the edition's canonical JSON.
        clauses: every clause that was due in a profile or tried, in the order of the tables.
        untestable: the clauses that cannot be tried from outside.
        verdicts: the verdict for each profile.
        waiver_states: what became of each waiver, in the order of `waivers`.
        exit_code: 0 kept, 1 broken, 10 not judged, for the profile claimed.
    """

    edition_digest: Sha256
    clauses: tuple[ClauseResult, ...]
    untestable: tuple[Untestable, ...]
    verdicts: dict[Profile, VerdictRecord]
    waiver_states: tuple[WaiverRecord, ...] = ()
    exit_code: Literal[0, 1, 10]

    @property
    def records(self) -> tuple[CheckRecord, ...]:
        """The records of all checks, in the order of the clauses."""
        return tuple(record for result in self.clauses for record in result.checks)


class Difference(Part):
    """A clause that a provider keeps over one transport and not, or otherwise, over the other.

    Attributes:
        clause: id of the clause.
        outcomes: name of each of the two targets to the outcome there.
        got: what was seen where the outcome is the worse one.
    """

    clause: ClauseId
    outcomes: dict[TargetName, Outcome]
    got: Text = ""


class RunHeader(Part):
    """What made the report, and where.

    Attributes:
        kit: version of pytest-nomos.
        kit_digest: SHA-256 over the files of its packages.
        python: version and implementation, for instance ``CPython 3.11.2``.
        pytest: version of pytest.
        grpcio: version of grpcio.
        platform: system and machine, for instance ``Linux x86_64``.
        argv_digest: digest of the command line.
        shard: ``2/5`` where the run was one of several, empty otherwise.
        started: when the run began.
        known_targets: names of all targets in the settings.
    """

    kit: Text
    kit_digest: Sha256
    python: Text
    pytest: Text
    grpcio: Text
    platform: Text
    argv_digest: Sha256
    shard: Annotated[str, Field(pattern=r"^(|[1-9]\d{0,3}/[1-9]\d{0,3}(,[1-9]\d{0,3}/[1-9]\d{0,3})*)$")] = ""
    started: AwareDatetime
    known_targets: tuple[TargetName, ...] = ()


class Report(RunHeader):
    """One run.

    Attributes:
        format: version of this format.
        finished: when it ended, None where it did not.
        complete: whether the run came to its end; a killed one leaves False.
        differences: where the two transports of a provider disagree.
        exit_code: the worst of its targets; 1 where transports disagree.
    """

    format: Literal["nomos-report/1"] = FORMAT
    finished: AwareDatetime | None = None
    complete: bool = False
    targets: tuple[TargetReport, ...] = ()
    differences: tuple[Difference, ...] = ()
    exit_code: Literal[0, 1, 10] = 10

    def target(self, name: str) -> TargetReport:
        """Return the target of that name.

        Raises:
            KeyError: there is none.
        """
        for target in self.targets:
            if target.name == name:
                return target
        raise KeyError(name)


def now() -> datetime:
    """Return the present moment in UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of a report (draft 2020-12)."""
    schema = TypeAdapter(Report).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{re.sub('/', ':', FORMAT)}",
        **schema,
        "title": "pytest-nomos report",
    }
