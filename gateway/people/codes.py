"""One-time codes 动态口令: RFC 6238, thirty seconds, six digits, each good once."""

from datetime import datetime

import pyotp

from gateway.secret_key import opened, sealed
from gateway.settings import Settings

_PURPOSE = "one-time codes"
_SECONDS = 30
_DRIFT = 1
"""Steps that a telephone's clock may be off."""


def fresh(settings: Settings, login: str, city: str) -> tuple[str, str]:
    """A new secret, sealed, and the address that a telephone reads as a picture. Raises Misconfigured."""
    secret = pyotp.random_base32()
    address = pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=f"gridhub {city}")
    return sealed(settings, _PURPOSE, secret), address


def secret_of(settings: Settings, kept: str) -> str:
    """The secret, for who cannot read pictures. Raises Misconfigured when it was sealed with another secret."""
    return opened(settings, _PURPOSE, kept)


def step_of(settings: Settings, kept: str, code: str, now: datetime) -> int | None:
    """The step whose code this is; None: it is wrong, or too old or young. Raises Misconfigured."""
    totp = pyotp.TOTP(secret_of(settings, kept))
    if not (len(code) == totp.digits and code.isascii() and code.isdigit()):
        return None
    at = int(now.timestamp()) // _SECONDS
    for step in range(at - _DRIFT, at + _DRIFT + 1):
        if pyotp.utils.strings_equal(code, totp.generate_otp(step)):
            return step
    return None
