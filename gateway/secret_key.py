"""Keys of the city's own: made from one secret, each for its purpose, so that none can stand in for another.

`GRIDHUB_SECRET` is the secret. Without it the file `secret` in the data folder is, made when first needed: enough
for one machine. Several machines must be told the same, or one cannot read what another has sealed.
"""

import base64
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from canonical.errors import Misconfigured
from gateway.settings import SECRET, Settings

SHORTEST = 16
_FILE = "secret"


def key(settings: Settings, purpose: str) -> bytes:
    """32 bytes for this purpose, the same on every machine with the same secret. Raises Misconfigured."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"gridhub {purpose}".encode())
    return derived.derive(_secret(settings).encode())


def sealed(settings: Settings, purpose: str, text: str) -> str:
    """The text so that only who knows the secret can read it. Raises Misconfigured."""
    return _fernet(settings, purpose).encrypt(text.encode()).decode()


def opened(settings: Settings, purpose: str, text: str) -> str:
    """What was sealed. Raises Misconfigured when it was sealed with another secret."""
    try:
        return _fernet(settings, purpose).decrypt(text.encode()).decode()
    except InvalidToken:
        raise Misconfigured(f"this was sealed with another {SECRET}: set it as it was") from None


def _fernet(settings: Settings, purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key(settings, purpose)))


def _secret(settings: Settings) -> str:
    if settings.secret:
        if len(settings.secret) < SHORTEST:
            raise Misconfigured(f"{SECRET} has less than {SHORTEST} characters")
        return settings.secret
    return _of_file(settings.data / _FILE)


def _of_file(path: Path) -> str:
    """The secret of this machine; whoever is first makes it, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = path.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            with suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise Misconfigured(f"set {SECRET}: without it the file {path} is used, and that fails: {why}") from None
