r"""Signatures on the archive's documents: Ed25519 (RFC 8032) over a document's own bytes.

A document is JSON with a member or value a line. Its signature is its last member, added to what is
a whole document without it, so that nothing has to be brought into a canonical form:

    signed bytes = the file up to the last ',\n "signature": ', and "\n}\n"
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from activity_pipeline.errors import SettingsError

_MARK = b',\n "signature": '
_END = b"\n}\n"


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signature.

    Attributes:
        key: `key_id` of the public key.
        ed25519: The 64 bytes in base64.
    """

    key: str
    ed25519: str


class Signer:
    """Signs with a private key; `public` is what verifies."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key()

    def sign(self, document: bytes) -> bytes:
        """Return a document with its signature."""
        signed = base64.b64encode(self._key.sign(document)).decode()
        signature = msgspec.json.encode(Signature(key=key_id(self.public), ed25519=signed))
        return document.removesuffix(_END) + _MARK + signature + _END


def split_signature(raw: bytes) -> tuple[bytes, bytes | None]:
    """Return a document's signed bytes, and its signature as JSON where it has one."""
    body, mark, signature = raw.rpartition(_MARK)
    return (body + _END, signature.removesuffix(_END)) if mark else (raw, None)


def signature_fault(raw: bytes, public: Sequence[Ed25519PublicKey]) -> str | None:
    """Say what is wrong with the signature of a document that has one.

    Args:
        raw: The document.
        public: The keys that are trusted; with none of them only the signature's form is looked at.
    """
    document, encoded = split_signature(raw)
    try:
        signature = msgspec.json.decode(encoded or b"", type=Signature)
        value = base64.b64decode(signature.ed25519, validate=True)
    except (msgspec.DecodeError, ValueError):
        return "has a signature that cannot be read"
    written = msgspec.json.encode(Signature(key=signature.key, ed25519=base64.b64encode(value).decode()))
    if document.removesuffix(_END) + _MARK + written + _END != raw or len(value) != 64:
        return "has a signature that is not written as one"
    if not public:
        return None
    key = next((key for key in public if key_id(key) == signature.key), None)
    if key is None:
        return f"is signed with the key {signature.key}, which is not trusted"
    try:
        key.verify(value, document)
    except InvalidSignature:
        return "has a signature that is not of these bytes"
    return None


def key_id(public: Ed25519PublicKey) -> str:
    """Return a key's name: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def load_signer(path: str) -> Signer | None:
    """Read a private key, PEM; none where the path is empty.

    Raises:
        SettingsError: It cannot be read or is not an Ed25519 key without a password.
    """
    if not path:
        return None
    try:
        key = load_pem_private_key(Path(path).expanduser().read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"the signing key {path} cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"the signing key {path} is not an Ed25519 key")
    return Signer(key)


def load_public(path: str) -> Ed25519PublicKey:
    """Read a public key, PEM.

    Raises:
        SettingsError: It cannot be read or is not an Ed25519 key.
    """
    try:
        key = load_pem_public_key(Path(path).expanduser().read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"the public key {path} cannot be read: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"the public key {path} is not an Ed25519 key")
    return key


def make_key(path: Path) -> Signer:
    """Write a new private key, 0600, and its public key beside it as `<path>.pub`.

    Raises:
        FileExistsError: There is a key already.
    """
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        new = Path(folder) / path.name
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(private)
        path.hardlink_to(new)
    path.with_name(f"{path.name}.pub").write_bytes(public)
    return Signer(key)
