"""The certificate: an attestation signed with Ed25519, as a DSSE envelope.

Signing and checking need the extra ``sign``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_nomos.attestation.statement import PAYLOAD_TYPE
from pytest_nomos.report.jsontext import JsonTextError, elements, parse, read_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_LIMIT = 64 * 1024
MISSING = "signing and checking signatures needs the extra `sign`: pip install 'pytest-nomos[sign]'"


class CertificateError(ValueError):
    """A key or certificate that cannot be used; the message says which and why."""


class SignatureError(CertificateError):
    """A signature that is not what it claims to be."""


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 private key.

    Attributes:
        key_id: SHA-256 of the public key in DER, in hex.
        signer: the library's signer.
    """

    key_id: str
    signer: Any


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key.

    Attributes:
        key_id: SHA-256 of it in DER, in hex.
        key: the library's key.
    """

    key_id: str
    key: Any


@dataclass(frozen=True)
class Certificate:
    """A DSSE envelope that was read, its signatures not yet checked.

    Attributes:
        payload: the statement's bytes.
        signatures: (key id, signature) of each; an empty id is allowed, it is a hint.
        name: what to call it in errors.
    """

    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]
    name: str


def load_signer(path: Path) -> SigningKey:
    """Return the Ed25519 private key in the PEM file *path*.

    Raises:
        CertificateError: the extra is not installed, or the file holds no such key.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        library: Any = import_module("securesystemslib.signer")
    except ImportError as error:
        raise CertificateError(MISSING) from error
    pem = _read_key(path)
    try:
        key = load_pem_private_key(pem, None)
    except TypeError as error:
        raise CertificateError(f"{path}: the key is encrypted; give one without a passphrase") from error
    except Exception as error:  # the library raises errors of several families for what is no key
        raise CertificateError(f"{path}: holds no private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateError(f"{path}: is no Ed25519 key; make one with: openssl genpkey -algorithm ed25519")
    public = _public(key.public_key())
    return SigningKey(public.key_id, library.CryptoSigner(key, public.key))


def load_public_key(path: Path) -> PublicKey:
    """Return the Ed25519 public key in the PEM file *path*.

    Raises:
        CertificateError: the extra is not installed, or the file holds no such key.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise CertificateError(MISSING) from error
    pem = _read_key(path)
    if b"PRIVATE KEY" in pem:
        raise CertificateError(f"{path}: is a private key; give the public one: openssl pkey -in KEY -pubout")
    try:
        key = load_pem_public_key(pem)
    except Exception as error:  # the library raises errors of several families for what is no key
        raise CertificateError(f"{path}: holds no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise CertificateError(f"{path}: is no Ed25519 key")
    return _public(key)


def sign(payload: bytes, key: SigningKey) -> bytes:
    """Return *payload*, the bytes of a statement, in a signed envelope: the bytes of certificate.json."""
    envelope: Any = import_module("securesystemslib.dsse").Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(key.signer)
    return (json.dumps(envelope.to_dict(), indent=2, sort_keys=True) + "\n").encode()


def read_certificate(content: bytes, name: str) -> Certificate:
    """Return the envelope that *content* holds, its signatures not yet checked.

    Raises:
        CertificateError: it holds no DSSE envelope of an in-toto statement; *name* is what to call it.
    """
    try:
        table = parse(content, name)
    except JsonTextError as error:
        raise CertificateError(str(error)) from error
    if not isinstance(table, dict):
        raise CertificateError(f"{name}: is no DSSE envelope")
    envelope = cast("dict[str, Any]", table)
    if envelope.keys() != {"payload", "payloadType", "signatures"}:
        raise CertificateError(f"{name}: is no DSSE envelope: it holds {', '.join(sorted(envelope)) or 'nothing'}")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise CertificateError(f"{name}: payloadType is {envelope['payloadType']!r}, not {PAYLOAD_TYPE!r}")
    signatures: list[tuple[str, bytes]] = []
    for fields in _objects(envelope["signatures"], name):
        if not {"sig"} <= fields.keys() <= {"sig", "keyid"} or not isinstance(fields.get("keyid", ""), str):
            raise CertificateError(f"{name}: a signature holds {', '.join(sorted(fields)) or 'nothing'}")
        signatures.append((fields.get("keyid", ""), _base64(fields["sig"], f"{name}: sig")))
    return Certificate(_base64(envelope["payload"], f"{name}: payload"), tuple(signatures), name)


def check_signature(certificate: Certificate, key: PublicKey) -> str:
    """Return the id of *key* if it made a signature of *certificate*.

    Raises:
        SignatureError: it did not, or the signature names another key.
    """
    from securesystemslib.exceptions import UnverifiedSignatureError

    made: Any = import_module("securesystemslib.signer").Signature
    envelope: Any = import_module("securesystemslib.dsse").Envelope(certificate.payload, PAYLOAD_TYPE, {})
    text = envelope.pae()
    for key_id, signature in certificate.signatures:
        try:
            key.key.verify_signature(made(key.key_id, signature.hex()), text)
        except UnverifiedSignatureError:
            continue
        if key_id not in {"", key.key_id}:
            raise SignatureError(f"{certificate.name}: the signature names the key {key_id[:80]}, not {key.key_id}")
        return key.key_id
    raise SignatureError(f"{certificate.name}: no signature of the key {key.key_id}")


def _public(key: Ed25519PublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    # The id that anybody can compute: openssl pkey -pubin -in KEY -outform DER | sha256sum
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key_id = hashlib.sha256(der).hexdigest()
    made: Any = import_module("securesystemslib.signer").SSlibKey.from_crypto(key, keyid=key_id)
    return PublicKey(key_id, made)


def _read_key(path: Path) -> bytes:
    try:
        return read_bytes(path, KEY_LIMIT)
    except JsonTextError as error:
        raise CertificateError(str(error)) from error


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    entries = elements(value)
    if not entries:
        raise CertificateError(f"{name}: has no signature")
    if not all(isinstance(entry, dict) for entry in entries):
        raise CertificateError(f"{name}: a signature is no object")
    return entries


def _base64(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise CertificateError(f"{name}: is no base64")
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateError(f"{name}: is no base64") from error
    if base64.b64encode(decoded).decode() != value:
        raise CertificateError(f"{name}: is base64 that no encoder writes")
    return decoded
