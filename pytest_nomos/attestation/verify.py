"""Verification: two sentences about a report, and never more than can be known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from nomos_contracts.verdict import EXIT_CODES
from pytest_nomos.attestation.certificate import (
    Certificate,
    CertificateError,
    SignatureError,
    check_signature,
    load_public_key,
    read_certificate,
)
from pytest_nomos.attestation.consistency import inconsistencies
from pytest_nomos.attestation.statement import NotAttestableError, statement
from pytest_nomos.report.folder import REPORT, ReportError, parse_report
from pytest_nomos.report.jsontext import JsonTextError, canonical, elements, parse, read_bytes
from pytest_nomos.report.model import Report, TargetReport
from pytest_nomos.report.rules import RulesOf, shipped_rules
from pytest_nomos.report.subject import subject_digest

UNSIGNED = "Unsigned: says nothing about who ran it; whoever can run the kit can write such files."


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        consistent: whether everything that could be checked agrees.
        reasons: what does not agree, one sentence each.
        key: id of the key whose signature was checked and is good, None otherwise.
        consistency: the first sentence: consistent or not, and why not.
        signature: the second sentence: signed by whom.
    """

    consistent: bool
    reasons: tuple[str, ...]
    key: str | None
    consistency: str
    signature: str

    @property
    def text(self) -> str:
        """Both sentences, one a line."""
        return f"{self.consistency}\n{self.signature}"


def verify(
    report_path: Path,
    subject_path: Path | None = None,
    *,
    attestation_path: Path | None = None,
    certificate_path: Path | None = None,
    public_key: Path | None = None,
    rules_of: RulesOf = shipped_rules,
    at: datetime | None = None,
) -> Verification:
    """Check a report, and what was issued for it. Never raises for what the files hold.

    Args:
        report_path: report.json or its folder.
        subject_path: the binary (or package folder) that it is about; None leaves the binary unchecked, and says so.
        attestation_path: attestation.json.
        certificate_path: certificate.json.
        public_key: Ed25519 public key (PEM) of whoever is trusted.
        rules_of: finds the rules of a target.
        at: the present moment, None takes it from the clock.
    """
    file = report_path / REPORT if report_path.is_dir() else report_path
    reasons: list[str] = []
    certificate, key, signature = _signature(certificate_path, public_key, reasons)
    try:
        content = read_bytes(file)
        report = parse_report(content, str(file))
    except (JsonTextError, ReportError) as error:
        return _result([str(error), *reasons], key, signature, "")
    if canonical(json.loads(report.model_dump_json())) != canonical(parse(content, str(file))):
        reasons.append(f"{file}: holds fields or values that this kit does not write")
    reasons += inconsistencies(report, rules_of=rules_of, at=at)
    targets = _subjects(report, subject_path, reasons)
    if attestation_path is not None:
        reasons += _attestation(attestation_path, report, content, targets)
    if certificate is not None:
        reasons += _statement(certificate.payload, f"{certificate.name}: payload", report, content, targets)
    return _result(reasons, key, signature, _words(report, targets, subject_path))


def _result(reasons: list[str], key: str | None, signature: str, words: str) -> Verification:
    if reasons:
        found = tuple(dict.fromkeys(reasons))
        return Verification(False, found, None, f"Not consistent: {'; '.join(found)}.", signature)
    return Verification(True, (), key, words, signature)


def _words(report: Report, targets: tuple[TargetReport, ...], subject_path: Path | None) -> str:
    rulings = {code: ruling.value for ruling, code in EXIT_CODES.items()}
    parts: list[str] = []
    for target in targets:
        subject = f"{target.subject.file} (SHA-256 {target.subject.sha256})" if target.subject else target.name
        scope = f"profile {target.profile}, tier {target.tier}, edition {target.edition}"
        parts.append(f"{target.interface} contract {rulings[target.exit_code]} by {subject}, {scope}")
    compared = "" if subject_path is not None else "; no binary was given to compare it with"
    return (
        f"Consistent: it says {', '.join(parts)}, and all that can be computed again gives the same{compared}."
        f"{_other_kit(report)}"
    )


def _other_kit(report: Report) -> str:
    from pytest_nomos.report.kit import kit_version

    mine = kit_version()
    return (
        "" if report.kit == mine else f" (It was made by pytest-nomos {report.kit}; its files are unknown to {mine}.)"
    )


def _subjects(report: Report, path: Path | None, reasons: list[str]) -> tuple[TargetReport, ...]:
    """Return the targets that are about the file *path*, all of them where none was given."""
    if path is None:
        return report.targets
    try:
        found = subject_digest(path)
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        reasons.append(f"{path}: cannot be read: {error.strerror}")
        return report.targets
    with_file = [(target, target.subject) for target in report.targets if target.subject is not None]
    if not with_file:
        reasons.append("the report is about no file")
    mine = tuple(target for target, subject in with_file if subject.sha256 == found)
    if with_file and not mine:
        others = ", ".join(subject.sha256 for _, subject in with_file)
        reasons.append(f"the report is about another file: {path} has the SHA-256 {found}, not {others}")
    for target, subject in with_file:
        if target in mine and size is not None and subject.size != size:
            reasons.append(f"{target.name}: {path} has {size} bytes, not {subject.size}")
    return mine or report.targets


def _signature(
    certificate_path: Path | None, public_key: Path | None, reasons: list[str]
) -> tuple[Certificate | None, str | None, str]:
    if certificate_path is None:
        if public_key is not None:
            reasons.append("a public key was given, and no certificate that it could have signed")
        return None, None, UNSIGNED
    try:
        certificate = read_certificate(read_bytes(certificate_path), str(certificate_path))
    except (JsonTextError, CertificateError) as error:
        reasons.append(str(error))
        return None, None, "No signature could be read: says nothing about who ran it."
    if public_key is None:
        return (
            certificate,
            None,
            "Its signature was not checked, for no public key was given: says nothing about who ran it.",
        )
    try:
        key = check_signature(certificate, load_public_key(public_key))
    except SignatureError as error:
        reasons.append(str(error))
        return certificate, None, "Not signed by the key given: says nothing about who ran it."
    except CertificateError as error:
        reasons.append(str(error))
        return certificate, None, "Its signature could not be checked: says nothing about who ran it."
    return certificate, key, f"Signed by the key {key}: whoever holds it answers for the run."


def _attestation(path: Path, report: Report, content: bytes, targets: tuple[TargetReport, ...]) -> Iterator[str]:
    try:
        yield from _statement(read_bytes(path), str(path), report, content, targets)
    except JsonTextError as error:
        yield str(error)


def _statement(
    text: bytes, name: str, report: Report, content: bytes, targets: tuple[TargetReport, ...]
) -> Iterator[str]:
    """Yield in what the statement *text* differs from the one that the report gives."""
    try:
        found = parse(text, name)
    except JsonTextError as error:
        yield str(error)
        return
    if not isinstance(found, dict):
        yield f"{name}: is no in-toto statement"
        return
    table = cast("dict[str, Any]", found)
    wanted: list[dict[str, Any]] = []
    for target in targets:
        try:
            wanted.append(statement(report, content, target))
        except NotAttestableError as error:
            yield f"{name}: states what cannot be stated: {error}"
    if canonical(table) in map(canonical, wanted):
        return
    if wanted:
        about = [made for made in wanted if made["subject"] == table.get("subject")]
        yield from (f"{name}: {problem}" for problem in _differences((about or wanted)[0], table))


def _differences(wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    yield from (f"holds an unknown field {key[:80]!r}" for key in found.keys() - wanted.keys())
    for key, value in wanted.items():
        if key == "predicate":
            continue
        if key not in found:
            yield f"the field {key} is missing"
        elif found[key] != value:
            yield f"{key} is {_short(found[key])}, and by the report {_short(value)}"
    theirs: Any = found.get("predicate")
    if not isinstance(theirs, dict):
        yield "the predicate is missing"
        return
    predicate = cast("dict[str, Any]", theirs)
    ours: dict[str, Any] = wanted["predicate"]
    for key in sorted(ours.keys() | predicate.keys()):
        if ours.get(key) == predicate.get(key):
            continue
        if key == "configuration":
            yield from _configuration(ours[key], predicate.get(key))
        else:
            yield f"{key} is {_short(predicate.get(key))}, and by the report {_short(ours.get(key))}"


def _configuration(ours: list[dict[str, Any]], theirs: Any) -> Iterator[str]:
    listed = elements(theirs)
    for descriptor in ours:
        if descriptor not in listed:
            yield f"the configuration does not hold {descriptor['name']} as it is in the report"
    if all(descriptor in listed for descriptor in ours):
        yield "the configuration holds more than it should, or in another order"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= 200 else f"{text[:100]} … {text[-90:]}"
