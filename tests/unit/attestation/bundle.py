"""A report with all that is issued for it, as a verifier is handed them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pytest_nomos.attestation.issue import issue
from pytest_nomos.attestation.statement import statement, statement_bytes
from pytest_nomos.attestation.verify import Verification, verify
from pytest_nomos.report.folder import write_report
from pytest_nomos.report.model import Report
from unit.report import made

Table = dict[str, Any]
AT = made.FINISHED


def pem(key: Ed25519PrivateKey) -> tuple[bytes, bytes]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class Files:
    """What a verifier is handed."""

    folder: Path

    @property
    def report(self) -> Path:
        return self.folder / "report.json"

    @property
    def attestation(self) -> Path:
        return self.folder / "attestation.json"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.json"

    @property
    def binary(self) -> Path:
        return self.folder / "provider"

    @property
    def public(self) -> Path:
        return self.folder / "public.pem"

    def edit(self, path: Path, change: Callable[[Table], None]) -> None:
        table = json.loads(path.read_bytes())
        before = json.dumps(table)
        change(table)
        assert json.dumps(table) != before, "a forgery that changes nothing"
        path.write_bytes(json.dumps(table, indent=2).encode())

    def reissue(self) -> None:
        """Write the attestation that goes with the forged report, as a forger with the kit would."""
        report = Report.model_validate_json(self.report.read_bytes())
        made_again = statement(report, self.report.read_bytes(), report.targets[0])
        self.attestation.write_bytes(statement_bytes(made_again))

    def verify(self, *, alone: bool = False) -> Verification:
        if alone:
            return verify(self.report, self.binary, at=AT)
        return verify(
            self.report,
            self.binary,
            attestation_path=self.attestation,
            certificate_path=self.certificate,
            public_key=self.public,
            at=AT,
        )


def issued(folder: Path, report: Report) -> Files:
    write_report(folder, report)
    private, public = pem(Ed25519PrivateKey.generate())
    key = made.write(folder / "private.pem", private)
    made.write(folder / "public.pem", public)
    made.write(folder / "provider", made.BINARY)
    assert set(issue(folder, key).files) == {"attestation", "certificate"}
    return Files(folder)
