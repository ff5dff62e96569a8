"""Which folder a certificate is of: a digest of its files, so that a changed folder has no certificate."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from canonical.errors import Misconfigured
from gateway.certify.certificate import Certificate
from gateway.certify.scenario import Tier

_PARTS = ("system.yaml", "messages", "codes", "contract", "ledgers", "samples")


def digest(folder: Path) -> str:
    """SHA-256 of every file the declaration is made of, with its name. What else lies in the folder does not matter."""
    found = [path for part in _PARTS for path in (folder / part, *(folder / part).rglob("*")) if path.is_file()]
    told = hashlib.sha256()
    for path in sorted(found, key=lambda one: one.relative_to(folder).as_posix()):
        body = path.read_bytes()
        told.update(f"{path.relative_to(folder).as_posix()}\0{len(body)}\0".encode())
        told.update(body)
    return told.hexdigest()


def tier_of(certificate: Path, folder: Path) -> Tier:
    """The tier a certificate gives this folder as it stands. Raises Misconfigured when it is of another one."""
    try:
        told = Certificate.model_validate_json(certificate.read_bytes())
    except OSError as error:
        raise Misconfigured(f"{certificate}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Misconfigured(
            f"{certificate}: no certificate that `gridhub certify --out` wrote: {where}: {first['msg']}"
        ) from None
    if not told.whole:
        raise Misconfigured(f"{certificate}: 只演练了部分场景 | only some scenarios were played")
    if told.system.digest != digest(folder):
        raise Misconfigured(
            f"{certificate}: 文件夹已改，须重新认证 | the folder has changed "
            f"since edition {told.system.edition} was certified; certify it again"
        )
    return told.tier
