from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pytest_nomos.attestation.certificate import load_signer, sign
from pytest_nomos.attestation.issue import issue
from pytest_nomos.attestation.verify import verify
from pytest_nomos.report.folder import write_report
from unit.attestation.bundle import AT, Files, Table, pem
from unit.report import made


def predicate(table: Table) -> Table:
    found: Table = table["predicate"]
    return found


def result_passed(table: Table) -> None:
    predicate(table)["result"] = "PASSED"


def failed_test_left_out(table: Table) -> None:
    del predicate(table)["failedTests"]


def failed_test_as_passed(table: Table) -> None:
    predicate(table)["passedTests"] += predicate(table).pop("failedTests")


def waived_test_as_passed(table: Table) -> None:
    predicate(table)["passedTests"].append(predicate(table)["warnedTests"].pop())


def passed_tests_in_another_order(table: Table) -> None:
    predicate(table)["passedTests"].reverse()


def subject_digest(table: Table) -> None:
    table["subject"][0]["digest"]["sha256"] = "4" * 64


def second_subject(table: Table) -> None:
    table["subject"].append({"name": "other", "digest": {"sha256": "5" * 64}})


def predicate_type(table: Table) -> None:
    table["predicateType"] = "https://slsa.dev/provenance/v1"


def statement_type(table: Table) -> None:
    table["_type"] = "https://in-toto.io/Statement/v0.1"


def configured(table: Table, prefix: str) -> Table:
    return next(d for d in predicate(table)["configuration"] if d["name"].startswith(prefix))


def digest_of_another_report(table: Table) -> None:
    configured(table, "report.json")["digest"]["sha256"] = "6" * 64


def digest_of_another_edition(table: Table) -> None:
    configured(table, "edition")["digest"]["sha256"] = "7" * 64


def other_kit_version(table: Table) -> None:
    configured(table, "pytest-nomos")["name"] = "pytest-nomos 9.9.9"


def settings_left_out(table: Table) -> None:
    predicate(table)["configuration"].pop()


def other_profile_attested(table: Table) -> None:
    configured(table, "settings")["annotations"]["profile"] = "cli"


def further_configuration(table: Table) -> None:
    predicate(table)["configuration"].append({"name": "more", "digest": {"sha256": "8" * 64}})


def further_field(table: Table) -> None:
    table["approvedBy"] = "everybody"


def no_predicate(table: Table) -> None:
    del table["predicate"]


ATTESTATION_FORGERIES: list[tuple[Callable[[Table], None], str]] = [
    (result_passed, 'result is "PASSED", and by the report "FAILED"'),
    (failed_test_left_out, "failedTests is null, and by the report"),
    (failed_test_as_passed, "passedTests is"),
    (waived_test_as_passed, "warnedTests is"),
    (passed_tests_in_another_order, "passedTests is"),
    (subject_digest, "subject is"),
    (second_subject, "subject is"),
    (predicate_type, "predicateType is"),
    (statement_type, "_type is"),
    (digest_of_another_report, "does not hold report.json as it is in the report"),
    (digest_of_another_edition, "does not hold edition"),
    (other_kit_version, "does not hold pytest-nomos"),
    (settings_left_out, "does not hold settings"),
    (other_profile_attested, "does not hold settings"),
    (further_configuration, "holds more than it should"),
    (further_field, "unknown field 'approvedBy'"),
    (no_predicate, "the predicate is missing"),
]


@pytest.mark.parametrize(
    ("forge", "sentence"), ATTESTATION_FORGERIES, ids=[forge.__name__ for forge, _ in ATTESTATION_FORGERIES]
)
def test_a_forged_attestation_is_rejected(files: Files, forge: Callable[[Table], None], sentence: str) -> None:
    files.edit(files.attestation, forge)
    found = verify(files.report, files.binary, attestation_path=files.attestation, at=AT)
    assert not found.consistent
    assert sentence in found.consistency


@pytest.mark.parametrize(
    ("forge", "sentence"), ATTESTATION_FORGERIES, ids=[forge.__name__ for forge, _ in ATTESTATION_FORGERIES]
)
def test_a_forged_statement_is_rejected_even_when_the_trusted_key_signed_it(
    files: Files, forge: Callable[[Table], None], sentence: str
) -> None:
    files.edit(files.attestation, forge)
    signed = sign(files.attestation.read_bytes(), load_signer(files.folder / "private.pem"))
    files.certificate.write_bytes(signed)
    found = verify(files.report, files.binary, certificate_path=files.certificate, public_key=files.public, at=AT)
    assert not found.consistent
    assert sentence in found.consistency


def signed_again_by_another(files: Files) -> None:
    private, _ = pem(Ed25519PrivateKey.generate())
    other = made.write(files.folder / "other.pem", private)
    files.certificate.write_bytes(sign(files.attestation.read_bytes(), load_signer(other)))


def signed_again_under_the_old_key_id(files: Files) -> None:
    key_id = json.loads(files.certificate.read_bytes())["signatures"][0]["keyid"]
    signed_again_by_another(files)
    files.edit(files.certificate, lambda table: table["signatures"][0].update(keyid=key_id))


def payload_changed(files: Files) -> None:
    def change(table: Table) -> None:
        text = base64.b64decode(table["payload"]).replace(b'"FAILED"', b'"PASSED"')
        table["payload"] = base64.b64encode(text).decode()

    files.edit(files.certificate, change)


def payload_spaced(files: Files) -> None:
    def change(table: Table) -> None:
        table["payload"] = base64.b64encode(base64.b64decode(table["payload"]) + b"\n").decode()

    files.edit(files.certificate, change)


def signature_cut(files: Files) -> None:
    def change(table: Table) -> None:
        raw = base64.b64decode(table["signatures"][0]["sig"])
        table["signatures"][0]["sig"] = base64.b64encode(raw[:-1]).decode()

    files.edit(files.certificate, change)


def one_bit_of_the_signature(files: Files) -> None:
    def change(table: Table) -> None:
        raw = bytearray(base64.b64decode(table["signatures"][0]["sig"]))
        raw[10] ^= 1
        table["signatures"][0]["sig"] = base64.b64encode(bytes(raw)).decode()

    files.edit(files.certificate, change)


def signature_stripped(files: Files) -> None:
    files.edit(files.certificate, lambda table: table.update(signatures=[]))


def key_id_renamed(files: Files) -> None:
    files.edit(files.certificate, lambda table: table["signatures"][0].update(keyid="9" * 64))


def payload_type_changed(files: Files) -> None:
    files.edit(files.certificate, lambda table: table.update(payloadType="application/json"))


def envelope_with_more(files: Files) -> None:
    files.edit(files.certificate, lambda table: table.update(valid=True))


def base64_of_no_encoder(files: Files) -> None:
    files.edit(files.certificate, lambda table: table.update(payload=table["payload"] + "\n"))


def base64_with_stray_bits(files: Files) -> None:
    def change(table: Table) -> None:
        text = table["signatures"][0]["sig"]
        assert text.endswith("==")  # 64 bytes: the last letter before the padding carries four bits that mean nothing
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        table["signatures"][0]["sig"] = text[:-3] + alphabet[alphabet.index(text[-3]) ^ 1] + "=="

    files.edit(files.certificate, change)


def signature_with_more(files: Files) -> None:
    files.edit(files.certificate, lambda table: table["signatures"][0].update(cert="mine"))


def signature_without_itself(files: Files) -> None:
    files.edit(files.certificate, lambda table: table["signatures"][0].pop("sig"))


def signature_as_number(files: Files) -> None:
    files.edit(files.certificate, lambda table: table["signatures"][0].update(sig=5))


def key_id_as_number(files: Files) -> None:
    files.edit(files.certificate, lambda table: table["signatures"][0].update(keyid=5))


def signature_as_text(files: Files) -> None:
    files.edit(files.certificate, lambda table: table.update(signatures=["trust me"]))


def certificate_is_the_attestation(files: Files) -> None:
    files.certificate.write_bytes(files.attestation.read_bytes())


def certificate_of_another_run(files: Files) -> None:
    other = files.folder / "elsewhere"
    other.mkdir()
    report = made.kept_report()
    write_report(other, report)
    issue(other, files.folder / "private.pem")
    files.certificate.write_bytes((other / "certificate.json").read_bytes())


def certificate_cut(files: Files) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes()[:-40])


def certificate_gone(files: Files) -> None:
    files.certificate.unlink()


CERTIFICATE_FORGERIES: list[tuple[Callable[[Files], None], str]] = [
    (signed_again_by_another, "no signature of the key"),
    (signed_again_under_the_old_key_id, "no signature of the key"),
    (payload_changed, "no signature of the key"),
    (payload_spaced, "no signature of the key"),
    (signature_cut, "no signature of the key"),
    (one_bit_of_the_signature, "no signature of the key"),
    (signature_stripped, "has no signature"),
    (key_id_renamed, "the signature names the key 999"),
    (payload_type_changed, "payloadType is 'application/json'"),
    (envelope_with_more, "is no DSSE envelope: it holds"),
    (base64_of_no_encoder, "payload: is no base64"),
    (base64_with_stray_bits, "sig: is base64 that no encoder writes"),
    (signature_with_more, "a signature holds cert, keyid, sig"),
    (signature_without_itself, "a signature holds keyid"),
    (signature_as_number, "sig: is no base64"),
    (key_id_as_number, "a signature holds keyid, sig"),
    (signature_as_text, "a signature is no object"),
    (certificate_is_the_attestation, "is no DSSE envelope: it holds"),
    (certificate_of_another_run, "does not hold report.json"),
    (certificate_cut, "is no JSON"),
    (certificate_gone, "cannot be read: No such file"),
]


@pytest.mark.parametrize(
    ("forge", "sentence"), CERTIFICATE_FORGERIES, ids=[forge.__name__ for forge, _ in CERTIFICATE_FORGERIES]
)
def test_a_forged_certificate_is_rejected_and_nobody_is_named(
    files: Files, forge: Callable[[Files], None], sentence: str
) -> None:
    forge(files)
    found = files.verify()
    assert not found.consistent
    assert sentence in found.consistency
    assert found.key is None


def test_what_is_wrong_is_said_once_and_nothing_else(files: Files) -> None:
    files.edit(files.attestation, result_passed)
    found = verify(files.report, files.binary, attestation_path=files.attestation, at=AT)
    assert found.reasons == (f'{files.attestation}: result is "PASSED", and by the report "FAILED"',)


def test_a_public_key_of_another_kind_is_refused(files: Files) -> None:
    other = rsa.generate_private_key(65537, 2048).public_key()
    public = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files.public.write_bytes(public)
    assert "public.pem: is no Ed25519 key" in files.verify().consistency


def test_a_genuine_bundle_is_rejected_for_another_binary(files: Files) -> None:
    files.binary.write_bytes(b"another binary")
    found = files.verify()
    assert not found.consistent
    assert "the report is about another file" in found.consistency


def test_a_stripped_certificate_is_noticed_by_whoever_asks_for_a_key(files: Files) -> None:
    found = verify(files.report, files.binary, attestation_path=files.attestation, public_key=files.public, at=AT)
    assert not found.consistent
    assert "no certificate that it could have signed" in found.consistency


def test_a_certificate_that_was_not_checked_names_nobody(files: Files) -> None:
    found = verify(files.report, files.binary, certificate_path=files.certificate, at=AT)
    assert found.consistent
    assert found.key is None
    assert "was not checked" in found.signature


def test_a_report_without_a_binary_at_hand_says_that_none_was_compared(files: Files) -> None:
    found = verify(files.report, at=AT)
    assert found.consistent
    assert "no binary was given to compare it with" in found.consistency
