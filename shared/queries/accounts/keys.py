"""API keys: made, shown once, found by what a request presents, revoked."""

import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.access import Permission
from shared.errors import Forbidden, NotFound
from shared.models.base import DEFAULT_OWNER
from shared.models.platform import ApiKey
from shared.queries.rows import Slice, page
from shared.queries.scope import Scope, owned

OPERATOR = DEFAULT_OWNER  # whose admin keys may make and see the keys of every owner
USE_NOTED_EVERY = timedelta(minutes=1)
_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH = len("psk_") + 8


# Built once: it is asked at every request.
VALID = select(ApiKey).where(
    ApiKey.prefix == bindparam("prefix"),
    ApiKey.revoked_at.is_(None),
    or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.clock_timestamp()),
)


class Issued(NamedTuple):
    """A new key's row, and the key itself: nobody can read it again."""

    row: ApiKey
    key: str


def hash_key(key: str) -> str:
    """Return the hash that stands for a key; plain SHA-256 is enough for 238 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def add(
    session: Session,
    scope: Scope,
    *,
    name: str,
    scopes: Iterable[Permission],
    owner_id: str | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    """Make a key for the scope's owner, or for another one when the operator asks; raises Forbidden otherwise."""
    owner = owner_id or scope.owner_id
    if owner != scope.owner_id and scope.owner_id != OPERATOR:
        raise Forbidden("only the operator makes keys for other owners")
    prefix = f"psk_{_random(_PREFIX_LENGTH - 4)}"
    key = f"{prefix}_{_random(40)}"
    row = ApiKey(
        owner_id=owner,
        name=name,
        scopes=[str(permission) for permission in scopes],
        prefix=prefix,
        key_hash=hash_key(key),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return Issued(row, key)


def _visible(scope: Scope) -> Select[ApiKey]:
    return select(ApiKey) if scope.owner_id == OPERATOR else owned(ApiKey, scope)


def list_(session: Session, scope: Scope, *, limit: int = 100, offset: int = 0) -> Slice[ApiKey]:
    """List the owner's keys, newest first; the operator sees every owner's."""
    statement = _visible(scope).order_by(ApiKey.created_at.desc(), ApiKey.id)
    return page(session, statement, limit=limit, offset=offset)


def get(session: Session, scope: Scope, key_id: UUID) -> ApiKey:
    """Return a key's row; raises NotFound."""
    row = session.scalar(_visible(scope).where(ApiKey.id == key_id))
    if row is None:
        raise NotFound(f"key {key_id} not found")
    return row


def revoke(session: Session, scope: Scope, key_id: UUID) -> ApiKey:
    """End a key from its next request on; a second call changes nothing; raises NotFound."""
    row = get(session, scope, key_id)
    if row.revoked_at is None:
        row.revoked_at = session.scalar(select(func.clock_timestamp()))
    return row


def find_valid(session: Session, key: str) -> ApiKey | None:
    """Return the row of a presented key that is neither revoked nor expired.

    The row is found by the public prefix and the hash compared in constant time, so no timing tells how much was right.
    """
    row = session.scalar(VALID, {"prefix": key[:_PREFIX_LENGTH]})
    if row is None or not hmac.compare_digest(row.key_hash, hash_key(key)):
        return None
    return row


def note_use(session: Session, row: ApiKey) -> None:
    """Note that a key was used now, at most once a minute so that reading stays reading; by one of many."""
    if row.last_used_at is None or datetime.now(UTC) - row.last_used_at > USE_NOTED_EVERY:
        as_read = ApiKey.id == row.id, ApiKey.last_used_at.is_not_distinct_from(row.last_used_at)
        free = select(ApiKey.id).where(*as_read).with_for_update(key_share=True, skip_locked=True)
        noted = update(ApiKey).where(ApiKey.id.in_(free))
        session.execute(noted.values(last_used_at=func.clock_timestamp()))
