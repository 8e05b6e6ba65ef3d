"""The attestation: an in-toto Statement v1 with the test-result predicate, bound to the binary by its SHA-256."""

from __future__ import annotations

import hashlib
import json
from importlib import import_module
from typing import Any

from nomos_contracts.verdict import Outcome, Ruling
from pytest_nomos.report.model import Report, TargetReport

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
SETTINGS_DIGEST = "pbkdf2-sha256"
"""Name of the digest of the settings: it is no plain SHA-256, which secrets could be guessed from."""


class NotAttestableError(ValueError):
    """A target of which nothing can be attested; the message says why."""


def statement(report: Report, content: bytes, target: TargetReport) -> dict[str, Any]:
    """Return what can be attested of *target*.

    Args:
        report: the report.
        content: the bytes of its report.json, to which the statement is bound.
        target: one of its targets.

    Raises:
        NotAttestableError: the target has no file, the run is not complete, its transports disagree, or a clause that
            was due was not judged.
    """
    _refuse_what_was_not_judged(report, target)
    subject = target.subject
    assert subject is not None  # noqa: S101 # refused above
    # Loaded here, for only a certification needs it; by name, for the library has no types.
    json_format: Any = import_module("google.protobuf.json_format")
    result: Any = import_module("in_toto_attestation.predicates.test_result.v0.test_result_pb2").TestResult
    descriptor: Any = import_module("in_toto_attestation.v1.resource_descriptor").ResourceDescriptor
    made_of: Any = import_module("in_toto_attestation.v1.statement").Statement
    configuration = [
        descriptor(
            name="report.json", digest={"sha256": hashlib.sha256(content).hexdigest()}, media_type="application/json"
        ),
        descriptor(name=f"edition {target.edition}", digest={"sha256": target.edition_digest}),
        descriptor(
            name=f"pytest-nomos {report.kit}",
            uri=f"pkg:pypi/pytest-nomos@{report.kit}",
            digest={"sha256": report.kit_digest},
        ),
        descriptor(
            name="settings",
            digest={SETTINGS_DIGEST: target.settings_digest},
            annotations={
                "target": target.name,
                "interface": target.interface,
                "profile": target.profile.value,
                "tier": target.tier.value,
                "transport": target.transport,
            },
        ),
    ]
    outcomes = _due_outcomes(target)
    passed = [i for i, o in outcomes.items() if o is Outcome.PASSED]
    warned = [i for i, o in outcomes.items() if o in {Outcome.WARNED, Outcome.WAIVED}]
    failed = [i for i, o in outcomes.items() if o in {Outcome.FAILED, Outcome.UNEXPECTED_PASS}]
    predicate = result(
        result="FAILED" if failed or target.exit_code == 1 else "WARNED" if warned else "PASSED",
        configuration=[part.pb for part in configuration],
        passed_tests=passed,
        warned_tests=warned,
        failed_tests=failed,
    )
    made = made_of(
        [descriptor(name=subject.file, digest={"sha256": subject.sha256}).pb],
        PREDICATE_TYPE,
        json_format.MessageToDict(predicate),
    )
    made.validate()
    table: dict[str, Any] = json_format.MessageToDict(made.pb)
    return table


def statement_bytes(table: dict[str, Any]) -> bytes:
    """Return a statement as the bytes of attestation.json."""
    return (json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _due_outcomes(target: TargetReport) -> dict[str, Outcome]:
    return {clause.id: clause.outcome for clause in target.clauses if target.profile in clause.due}


def _refuse_what_was_not_judged(report: Report, target: TargetReport) -> None:
    if not report.complete:
        raise NotAttestableError(f"{target.name}: the run did not come to its end")
    if target.subject is None:
        raise NotAttestableError(f"{target.name}: the target has no file that a statement could be about")
    if not target.subject.unchanged:
        raise NotAttestableError(f"{target.name}: {target.subject.file} was changed while it was tried")
    if unlike := [one.clause for one in report.differences if target.name in one.outcomes]:
        raise NotAttestableError(f"{target.name}: its transports disagree about {', '.join(unlike)}")
    verdict = target.verdicts[target.profile]
    if verdict.unjudged:
        shown = ", ".join(verdict.unjudged[:5]) + (", …" if len(verdict.unjudged) > 5 else "")
        raise NotAttestableError(
            f"{target.name}: {len(verdict.unjudged)} of {verdict.due} due clauses were not judged: {shown}"
        )
    if verdict.ruling is Ruling.NOT_JUDGED:
        raise NotAttestableError(f"{target.name}: nothing was judged")
