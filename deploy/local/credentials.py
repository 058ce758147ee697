"""The secrets of an embedded stack: made at its first start, kept in the data directory."""

import base64
import os
import secrets
from dataclasses import asdict, dataclass, field

from deploy.local.folder import Folder, read_json, write_json

FLOWER_USER = "personae"


def password() -> str:
    """Return a new password that needs no quoting in a URL or a shell."""
    return secrets.token_urlsafe(24)


def encryption_key() -> str:
    """Return a new key for what is encrypted at rest."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@dataclass(frozen=True)
class Credentials:
    """What the embedded servers ask for, and the first API key."""

    postgres_password: str = field(default_factory=password)
    broker_password: str = field(default_factory=password)
    flower_password: str = field(default_factory=password)
    secret_key: str = field(default_factory=encryption_key)
    api_key: str | None = None
    api_key_id: str | None = None


def load(folder: Folder) -> Credentials | None:
    """Return a data directory's secrets, or None before its first start."""
    stored = read_json(folder.secrets)
    return None if stored is None else Credentials(**stored)


def save(folder: Folder, credentials: Credentials) -> None:
    """Write the secrets for their owner only."""
    write_json(folder.secrets, asdict(credentials))


def load_or_make(folder: Folder) -> Credentials:
    """Return the data directory's secrets; raises RuntimeError where its database outlived them."""
    credentials = load(folder)
    if credentials is not None:
        return credentials
    if (folder.postgres / "PG_VERSION").exists():
        raise RuntimeError(
            f"{folder.secrets} is missing, and with it the password of the database in {folder.postgres}"
        )
    credentials = Credentials()
    save(folder, credentials)
    return credentials
