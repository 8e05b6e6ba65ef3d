"""Issuing: writes attestation and certificate beside a report, where the report allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_nomos.attestation.certificate import load_signer, sign
from pytest_nomos.attestation.consistency import inconsistencies
from pytest_nomos.attestation.statement import NotAttestableError, statement, statement_bytes
from pytest_nomos.report.folder import (
    ATTESTATION,
    CERTIFICATE,
    REPORT,
    ReportError,
    parse_report,
    write_atomically,
)
from pytest_nomos.report.jsontext import JsonTextError, read_bytes
from pytest_nomos.report.rules import RulesOf, shipped_rules


@dataclass(frozen=True)
class Issued:
    """What was issued.

    Attributes:
        files: ``attestation`` and ``certificate`` to their files; with several targets ``attestation NAME`` and so on.
        notes: for each target of which nothing was attested, why.
    """

    files: Mapping[str, Path]
    notes: tuple[str, ...]


def issue(folder: Path, sign_key: Path | None = None, *, rules_of: RulesOf = shipped_rules) -> Issued:
    """Write the attestation of each target of the report in *folder*, and with *sign_key* its certificate.

    Raises:
        CertificateError: the key cannot be used; nothing is written then.
        ReportError: a file cannot be written.
    """
    signer = load_signer(sign_key) if sign_key is not None else None
    try:
        content = read_bytes(folder / REPORT)
        report = parse_report(content, str(folder / REPORT))
    except (JsonTextError, ReportError) as error:
        return Issued({}, (f"no attestation: {error}",))
    if problems := inconsistencies(report, rules_of=rules_of):
        return Issued({}, tuple(f"no attestation: {problem}" for problem in problems))
    files: dict[str, Path] = {}
    notes: list[str] = []
    for target in report.targets:
        alone = len(report.targets) == 1
        label, middle = ("", "") if alone else (f" {target.name}", f".{target.name}")
        try:
            payload = statement_bytes(statement(report, content, target))
        except NotAttestableError as error:
            notes.append(f"no attestation: {error}")
            continue
        path = folder / f"{ATTESTATION}{middle}.json"
        write_atomically(path, payload)
        files[f"{ATTESTATION}{label}"] = path
        if signer is not None:
            path = folder / f"{CERTIFICATE}{middle}.json"
            write_atomically(path, sign(payload, signer))
            files[f"{CERTIFICATE}{label}"] = path
    return Issued(files, tuple(notes))
