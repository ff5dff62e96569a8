"""Which folder a certificate is of: a digest of its files, so that a changed folder has no certificate."""

import hashlib
import json
from pathlib import Path

from canonical.errors import Misconfigured

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


def tier_of(certificate: Path, folder: Path) -> str:
    """The tier a certificate gives this folder as it stands. Raises Misconfigured when it is of another one."""
    try:
        told = json.loads(certificate.read_text(encoding="utf-8"))
        system, tier = told["system"], str(told["tier"])
        named, stated = str(system["edition"]), str(system["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{certificate}: no certificate that `gridhub certify --out` wrote ({error!r})") from None
    if not told.get("whole"):
        raise Misconfigured(f"{certificate}: 只演练了部分场景 | only some scenarios were played")
    if stated != digest(folder):
        raise Misconfigured(
            f"{certificate}: 文件夹已改，须重新认证 | the folder has changed since edition {named} was certified; "
            f"certify it again"
        )
    return tier
