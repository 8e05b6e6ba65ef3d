from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from nomos_contracts.clause import Profile
from nomos_contracts.verdict import Outcome
from pytest_nomos.attestation.certificate import CertificateError, load_public_key, load_signer
from pytest_nomos.attestation.issue import issue
from pytest_nomos.attestation.verify import verify
from pytest_nomos.report.build import build_report
from pytest_nomos.report.folder import write_report
from pytest_nomos.report.model import Report
from unit.attestation.bundle import AT, Files
from unit.report import made

FIRST = made.due_ids()[0]


def attested(folder: Path, report: Report) -> dict[str, Any]:
    write_report(folder, report)
    issued = issue(folder)
    assert issued.notes == ()
    found: dict[str, Any] = json.loads(issued.files["attestation"].read_bytes())
    return found


def test_the_statement_is_the_one_that_in_toto_describes(files: Files) -> None:
    report = made.mixed_report()
    (target,) = report.targets
    outcomes = {c.id: c.outcome for c in target.clauses if Profile.STANDARD in c.due}
    found = json.loads(files.attestation.read_bytes())
    predicate = found.pop("predicate")
    sha256 = hashlib.sha256(made.BINARY).hexdigest()
    assert found == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "provider", "digest": {"sha256": sha256}}],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
    }
    assert predicate["result"] == "FAILED"
    assert predicate["passedTests"] == [i for i, o in outcomes.items() if o is Outcome.PASSED]
    assert predicate["warnedTests"] == [i for i, o in outcomes.items() if o in {Outcome.WARNED, Outcome.WAIVED}]
    assert predicate["failedTests"] == [i for i, o in outcomes.items() if o is Outcome.FAILED]
    digests = {d["name"].split()[0]: d["digest"] for d in predicate["configuration"]}
    assert digests == {
        "report.json": {"sha256": hashlib.sha256(files.report.read_bytes()).hexdigest()},
        "edition": {"sha256": target.edition_digest},
        "pytest-nomos": {"sha256": report.kit_digest},
        "settings": {"pbkdf2-sha256": target.settings_digest},
    }


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (Outcome.PASSED, "PASSED"),
        (Outcome.NOT_APPLICABLE, "PASSED"),
        (Outcome.FAILED, "FAILED"),
    ],
)
def test_the_result_is_that_of_the_run(tmp_path: Path, outcome: Outcome, result: str) -> None:
    report = build_report(made.run(), [made.target()], made.records({FIRST: outcome}), finished=made.FINISHED)
    predicate = attested(tmp_path, report)["predicate"]
    assert predicate["result"] == result
    listed = [*predicate["passedTests"], *predicate.get("failedTests", [])]
    assert (FIRST in listed) is (outcome is not Outcome.NOT_APPLICABLE)


def test_a_run_with_a_waived_clause_is_warned(tmp_path: Path) -> None:
    target = made.target(waivers=(made.waiver(FIRST),))
    report = build_report(made.run(), [target], made.records({FIRST: Outcome.WAIVED}), finished=made.FINISHED)
    predicate = attested(tmp_path, report)["predicate"]
    assert predicate["result"] == "WARNED"
    assert predicate["warnedTests"] == [FIRST]


def test_an_expired_waiver_makes_the_result_failed_though_no_clause_failed(tmp_path: Path) -> None:
    target = made.target(waivers=(made.waiver(FIRST, expires="2025-01-01"),))
    report = build_report(made.run(), [target], made.records(), finished=made.FINISHED)
    assert attested(tmp_path, report)["predicate"]["result"] == "FAILED"


def not_attestable() -> dict[str, tuple[Report, str]]:
    one = made.due_ids()[0]
    changed = made.subject().model_copy(update={"sha256_after": "1" * 64})

    def built(*, complete: bool = True, outcomes: dict[str, Outcome] | None = None, **target: Any) -> Report:
        records = [r for r in made.records(outcomes) if (outcomes or {}).get(r.clause) is not Outcome.NOT_RUN]
        return build_report(made.run(), [made.target(**target)], records, finished=made.FINISHED, complete=complete)

    return {
        "blocked": (built(outcomes={one: Outcome.BLOCKED}), f"1 of .* due clauses were not judged: {one}"),
        "broken and blocked": (
            built(outcomes={one: Outcome.BLOCKED, made.due_ids()[4]: Outcome.FAILED}),
            "were not judged",
        ),
        "incomplete": (built(complete=False), "the run did not come to its end"),
        "no file": (built(subject=None), "the target has no file"),
        "changed": (built(subject=changed), "was changed during the run"),
        "nothing applies": (
            built(outcomes=dict.fromkeys(made.due_ids(profile=None), Outcome.NOT_APPLICABLE)),
            "nothing was judged",
        ),
        "shard": (
            made.kept_report().model_copy(update={"shard": "1/2"}),
            "it holds the shard 1/2 only",
        ),
    }


@pytest.mark.parametrize("name", not_attestable())
def test_what_was_not_judged_is_not_attested(tmp_path: Path, name: str) -> None:

    report, sentence = not_attestable()[name]
    write_report(tmp_path, report)
    issued = issue(tmp_path)
    assert not issued.files
    assert re.search(sentence, " ".join(issued.notes)), issued.notes
    assert not list(tmp_path.glob("attestation*"))


def test_a_report_that_is_broken_is_not_attested(tmp_path: Path) -> None:
    assert "cannot be read" in issue(tmp_path).notes[0]
    (tmp_path / "report.json").write_text("{")
    assert "is no JSON" in issue(tmp_path).notes[0]


def test_each_of_several_targets_gets_a_statement_of_its_own(tmp_path: Path) -> None:
    second = made.subject(b"second")
    targets = [made.target(), made.target("second", subject=second), made.target("third", subject=None)]
    records = [record for target in targets for record in made.records(name=target.name)]
    write_report(tmp_path, build_report(made.run(), targets, records, finished=made.FINISHED))
    issued = issue(tmp_path)
    assert {p.name for p in issued.files.values()} == {"attestation.provider.json", "attestation.second.json"}
    assert issued.notes == ("no attestation: third: the target has no file that a statement could be about",)
    binary = made.write(tmp_path / "bin", b"second")
    good = verify(tmp_path / "report.json", binary, attestation_path=tmp_path / "attestation.second.json", at=AT)
    assert good.consistent, good.text
    assert verify(
        tmp_path / "report.json", binary, attestation_path=tmp_path / "attestation.provider.json", at=AT
    ).consistency.startswith("Not consistent: ")


def test_the_envelope_is_dsse_as_anybody_else_checks_it(files: Files) -> None:
    envelope = json.loads(files.certificate.read_bytes())
    payload = base64.b64decode(envelope["payload"])
    assert payload == files.attestation.read_bytes()
    kind = b"application/vnd.in-toto+json"
    text = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    (signature,) = envelope["signatures"]
    key: Any = load_pem_public_key(files.public.read_bytes())
    key.verify(base64.b64decode(signature["sig"]), text)
    assert signature["keyid"] == load_public_key(files.public).key_id


def test_a_signature_without_a_key_id_is_accepted(files: Files) -> None:
    files.edit(files.certificate, lambda table: table["signatures"][0].update(keyid=""))
    found = files.verify()
    assert found.consistent, found.text
    assert found.key is not None


def test_keys_that_cannot_sign_are_refused_with_a_sentence(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
    other = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, sentence in (
        (locked, "the key is encrypted"),
        (other, "is no Ed25519 key; make one with: openssl genpkey"),
        (b"nonsense", "holds no private key in PEM"),
        (b"", "holds no private key in PEM"),
        (b"x" * 100_000, "more than the limit"),
    ):
        path = made.write(tmp_path / "key.pem", content)
        with pytest.raises(CertificateError, match=sentence):
            load_signer(path)
    with pytest.raises(CertificateError, match="cannot be read: No such file"):
        load_signer(tmp_path / "none.pem")


def test_without_the_extra_signing_names_it_and_everything_else_works(files: Files) -> None:
    program = """
import sys
sys.modules["securesystemslib"] = None
sys.modules["cryptography"] = None
from pathlib import Path
from pytest_nomos.attestation.certificate import load_signer
from pytest_nomos.attestation.verify import verify
folder = Path(sys.argv[1])
own = folder / "own"
from pytest_nomos.attestation.issue import issue
from pytest_nomos.report.folder import write_report
from unit.report import made
write_report(own, made.mixed_report())
assert set(issue(own).files) == {"attestation"}
found = verify(own, folder / "provider", attestation_path=own / "attestation.json", at=made.FINISHED)
assert found.consistent, found.text
signed = verify(folder, certificate_path=folder / "certificate.json", public_key=folder / "public.pem")
assert "pip install 'pytest-nomos[sign]'" in signed.consistency, signed.text
try:
    load_signer(folder / "private.pem")
except ValueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(files.folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("needs the extra `sign`: pip install 'pytest-nomos[sign]'")


def test_the_libraries_for_attestations_are_not_loaded_with_the_report() -> None:
    program = """
import sys
import pytest_nomos.report.stream, pytest_nomos.report.replay, pytest_nomos.attestation.issue
heavy = {"in_toto_attestation", "securesystemslib", "cryptography", "jsonschema", "pytest", "grpc"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
