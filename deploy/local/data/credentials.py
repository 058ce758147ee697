"""The secrets of an embedded stack: made at its first start, kept in the data directory."""

import secrets
from dataclasses import asdict, dataclass, field, fields

from deploy.local.data.folder import Folder, read_json, write_json

FLOWER_USER = "personae"


def password() -> str:
    """Return a new password that needs no quoting in a URL or a shell."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Credentials:
    """What the embedded servers ask for, and the first API key."""

    postgres_password: str = field(default_factory=password)
    broker_password: str = field(default_factory=password)
    flower_password: str = field(default_factory=password)
    api_key: str | None = None
    api_key_id: str | None = None


def load(folder: Folder) -> Credentials | None:
    """Return a data directory's secrets, or None before its first start."""
    stored = read_json(folder.secrets)
    if stored is None:
        return None
    known = {field.name for field in fields(Credentials)}  # an earlier version may have kept others
    return Credentials(**{name: value for name, value in stored.items() if name in known})


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
