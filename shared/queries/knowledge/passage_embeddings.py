"""The embedding of passages that no document brought: a row of work for each request that wrote some."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.logs import Correlation
from shared.models import Embedding, KnowledgeChunk, PassageEmbedding
from shared.queries.knowledge import embeddings
from shared.queries.rows import removed
from shared.queries.scope import Scope, owner_of

UNCLAIMED = (RunStatus.PENDING, RunStatus.ERROR)
FORGOTTEN = -1000  # the priority of what was found to lack a vector: whatever somebody has sent goes first


def add(
    session: Session,
    scope: Scope,
    hashes: Collection[str],
    *,
    model: str,
    priority: int = 0,
    meta: Correlation | None = None,
) -> int | None:
    """Add the embedding of texts that the scope's passages hold; return its id, or None where none needs any.

    None does that has its vector, or is waited for already.
    """
    missing = set(hashes) - embeddings.known(session, model, hashes)
    missing -= _waited_for(session, scope, missing)
    if not missing:
        return None
    row = PassageEmbedding(
        **owner_of(scope),
        hashes=sorted(missing),
        priority=priority,
        ready_at=func.clock_timestamp(),
        status_meta=meta or {},
    )
    session.add(row)
    session.flush()
    return row.id


def _waited_for(session: Session, scope: Scope, hashes: Collection[str]) -> set[str]:
    """Return what unclaimed rows will embed; they stay unclaimed until the passages that count on them are there."""
    if not hashes:
        return set()
    mine = (PassageEmbedding.owner_id == scope.owner_id, PassageEmbedding.hashes.overlap(list(hashes)))
    unclaimed = select(PassageEmbedding.hashes).where(*mine, PassageEmbedding.status.in_(UNCLAIMED))
    rows = session.scalars(unclaimed.with_for_update(skip_locked=True))
    return {each for row in rows for each in row}


def texts(session: Session, row: PassageEmbedding, *, model: str) -> dict[str, str]:
    """Return the row's texts by their hashes: those that its owner's passages still hold, and that have no vector."""
    held = select(KnowledgeChunk.content_hash, func.min(KnowledgeChunk.content)).group_by(KnowledgeChunk.content_hash)
    mine = held.where(KnowledgeChunk.owner_id == row.owner_id, KnowledgeChunk.content_hash.in_(row.hashes))
    found = dict(session.execute(mine).all())
    known = embeddings.known(session, model, found)
    return {hash: content for hash, content in found.items() if hash not in known}


def add_forgotten(session: Session, *, model: str, batch: int, after: UUID) -> tuple[int, UUID]:
    """Add the embedding of what lacks a vector under the model among the next `batch` passages after an id.

    Return how many rows were added, and the last id that was looked at: zero where there are no more. What failed is
    tried again when its row is forgotten.
    """
    following = select(KnowledgeChunk.id).where(KnowledgeChunk.id > after).order_by(KnowledgeChunk.id).limit(batch)
    ids = session.scalars(following).all()
    if not ids:
        return 0, UUID(int=0)
    by_owner: dict[str, list[str]] = {}
    for owner_id, hash in session.execute(_lacking(model).where(KnowledgeChunk.id.in_(ids))):
        by_owner.setdefault(owner_id, []).append(hash)
    added = [add(session, Scope(owner), by_owner[owner], model=model, priority=FORGOTTEN) for owner in by_owner]
    return sum(row_id is not None for row_id in added), ids[-1]


def _lacking(model: str) -> Any:
    embedded = exists().where(Embedding.content_hash == KnowledgeChunk.content_hash, Embedding.model == model)
    under_way = exists().where(
        PassageEmbedding.hashes.contains(array([KnowledgeChunk.content_hash])),
        PassageEmbedding.owner_id == KnowledgeChunk.owner_id,
        PassageEmbedding.status != RunStatus.COMPLETED,
    )
    return select(KnowledgeChunk.owner_id, KnowledgeChunk.content_hash).where(~embedded, ~under_way)


def prune(session: Session, *, keep: timedelta, batch: int) -> int:
    """Delete up to `batch` rows that ended before `keep`, and say how many went."""
    ended = select(PassageEmbedding.id).where(PassageEmbedding.completed_date < func.clock_timestamp() - keep)
    oldest = ended.order_by(PassageEmbedding.completed_date).limit(batch).with_for_update(skip_locked=True)
    return removed(session, delete(PassageEmbedding).where(PassageEmbedding.id.in_(oldest)))
