#!/usr/bin/env python3
"""Makes the secrets docker-compose.yml mounts: random ones, once. Standard library only.

    python3 deploy/make_secrets.py config-local/secrets

A file that is there stays as it is. The folder is for its owner alone; the files in it can be read by the containers'
accounts, which see them one by one.
"""

import base64
import hashlib
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ACCOUNT = "gridhub"
_ROUNDS = 101
"""As mosquitto_passwd does it."""


def main(folder: Path) -> int:
    """Make what is missing."""
    os.umask(0o022)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    made = [name for name, content in FILES.items() if _made(folder, name, content)]
    sys.stdout.write(f"{folder}: made {', '.join(made) or 'nothing, all are there'}\n")
    return 0


def _made(folder: Path, name: str, content: Callable[[Path], str]) -> bool:
    file = folder / name
    if file.exists():
        return False
    fresh = file.with_name(f".{name}.new")
    fresh.write_text(f"{content(folder)}\n", encoding="utf-8")
    fresh.chmod(0o444)
    fresh.rename(file)
    return True


def _random(_: Path) -> str:
    return secrets.token_urlsafe(32)


def _database_url(folder: Path) -> str:
    return f"postgresql://{ACCOUNT}:{_kept(folder, 'postgres_password')}@database/{ACCOUNT}"


def _rabbitmq(folder: Path) -> str:
    return f"default_user = {ACCOUNT}\ndefault_pass = {_kept(folder, 'rabbitmq_password')}"


def _mosquitto(folder: Path) -> str:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", _kept(folder, "mqtt_password").encode(), salt, _ROUNDS)
    return f"{ACCOUNT}:$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _kept(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8").strip()


FILES: dict[str, Callable[[Path], str]] = {
    "postgres_password": _random,
    "rabbitmq_password": _random,
    "mqtt_password": _random,
    "centre_token": _random,
    "city_secret": _random,
    "database_url": _database_url,
    "rabbitmq.conf": _rabbitmq,
    "mosquitto.passwords": _mosquitto,
}
"""In this order: the later ones are made of the earlier."""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_secrets.py FOLDER")
    sys.exit(main(Path(sys.argv[1])))
