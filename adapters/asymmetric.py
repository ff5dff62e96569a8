"""RSA as platforms ask for it: passwords enciphered for a login, signatures made and checked. Pure but for padding."""

import base64
import binascii
from collections.abc import Mapping
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from canonical.errors import ContractViolation, Misconfigured

Cipher = Literal["rsa-pkcs1", "rsa-oaep"]
Signature = Literal["rsa-sha1", "rsa-sha256"]

_HASHES: Mapping[str, hashes.HashAlgorithm] = {"rsa-sha1": hashes.SHA1(), "rsa-sha256": hashes.SHA256()}  # noqa: S303 partners ask for it
_PADDINGS: Mapping[str, padding.AsymmetricPadding] = {
    "rsa-pkcs1": padding.PKCS1v15(),
    "rsa-oaep": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),  # noqa: S303 Java's default
}


def enciphered(data: bytes, key: str, cipher: Cipher) -> bytes:
    """Data for the owner of the public key; other bytes each time. Raises Misconfigured, ContractViolation."""
    try:
        return public_key(key).encrypt(data, _PADDINGS[cipher])
    except ValueError:
        raise ContractViolation("the text is too long for the public key") from None


def signed(data: bytes, key: str, signature: Signature) -> bytes:
    """The signature (PKCS 1, version 1.5) by a private key. Raises Misconfigured."""
    return private_key(key).sign(data, padding.PKCS1v15(), _HASHES[signature])


def holds(given: bytes, data: bytes, key: str, signature: Signature) -> bool:
    """Whether the owner of the public key made this signature of the data. Raises Misconfigured."""
    try:
        public_key(key).verify(given, data, padding.PKCS1v15(), _HASHES[signature])
    except InvalidSignature:
        return False
    return True


def public_key(text: str) -> rsa.RSAPublicKey:
    """A key as PEM, or as its base64 alone, as platforms hand them out. Raises Misconfigured that does not quote it."""
    try:
        key = load_pem_public_key(text.encode()) if "-----" in text else load_der_public_key(_der(text))
    except (ValueError, UnsupportedAlgorithm):
        raise Misconfigured("no RSA public key, as PEM or its base64") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise Misconfigured("a public key of another kind than RSA")
    return key


def private_key(text: str) -> rsa.RSAPrivateKey:
    """As public_key, for the private one without a password."""
    try:
        key = load_pem_private_key(text.encode(), None) if "-----" in text else load_der_private_key(_der(text), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Misconfigured("no RSA private key without a password, as PEM or its base64") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Misconfigured("a private key of another kind than RSA")
    return key


def _der(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
