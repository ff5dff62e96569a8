"""The city's signature under heads and packs: Ed25519, from a key file that the settings name."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from canonical.errors import Misconfigured


class Signer:
    """Signs with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def __call__(self, statement: bytes) -> str:
        """The signature of a statement, in hex."""
        return self._key.sign(statement).hex()


def signer(path: Path | None) -> Signer | None:
    """From a key file; None when there is none to be. Raises Misconfigured when it cannot be used."""
    if path is None:
        return None
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise Misconfigured(f"GRIDHUB_EVIDENCE_KEY: {path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Misconfigured(
            f"GRIDHUB_EVIDENCE_KEY: {path} holds no private key in PEM without a password; make one with "
            "openssl genpkey -algorithm ed25519"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"GRIDHUB_EVIDENCE_KEY: {path} holds a key of another kind than Ed25519")
    return Signer(key)
