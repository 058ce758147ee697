"""Answers given once: the unique row is taken first, so parallel senders wait for its transaction and then replay."""

from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.errors import Invalid
from shared.models.platform import IdempotencyKey


class StoredAnswer(NamedTuple):
    """An answer that was given before."""

    status: int
    body: dict[str, Any]


def take(session: Session, holder: str, key: str, *, request_hash: str, keep: timedelta) -> StoredAnswer | None:
    """Take a holder's key in this transaction: None for the first sender, the stored answer for a later one.

    A key older than `keep` is free again. Blocks while another transaction holds the key; whatever that one does
    decides: a commit is replayed, a rollback leaves nothing. Raises Invalid when the key came with another request.
    """
    now = func.clock_timestamp()
    fresh = {"holder": holder, "key": key, "request_hash": request_hash}
    statement = insert(IdempotencyKey).values(**fresh)
    taken = session.scalar(
        statement.on_conflict_do_update(
            index_elements=["holder", "key"],
            set_={"request_hash": request_hash, "status": None, "body": None, "created_at": now},
            where=IdempotencyKey.created_at < now - keep,
        ).returning(IdempotencyKey.id)
    )
    return None if taken is not None else _stored(session, holder, key, request_hash)


def _stored(session: Session, holder: str, key: str, request_hash: str) -> StoredAnswer:
    row = session.scalars(
        select(IdempotencyKey).where(IdempotencyKey.holder == holder, IdempotencyKey.key == key)
    ).one()
    if row.request_hash != request_hash:
        raise Invalid("this Idempotency-Key was used with another request")
    return StoredAnswer(row.status or 200, row.body or {})


def keep_answer(session: Session, holder: str, key: str, answer: StoredAnswer) -> None:
    """Store the answer in the transaction that does the work."""
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.holder == holder, IdempotencyKey.key == key)
        .values(status=answer.status, body=answer.body)
    )


def prune(session: Session, *, keep: timedelta, batch: int = 1000) -> int:
    """Delete up to `batch` answers older than `keep`, and say how many went."""
    old = (
        select(IdempotencyKey.id)
        .where(IdempotencyKey.created_at < func.clock_timestamp() - keep)
        .order_by(IdempotencyKey.created_at)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    return len(
        session.scalars(delete(IdempotencyKey).where(IdempotencyKey.id.in_(old)).returning(IdempotencyKey.id)).all()
    )
