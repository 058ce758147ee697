"""Vectors by the hash of their text: a text is embedded once for all who hold it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import String, Text, bindparam, cast, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from shared.domain.retrieval import misfit
from shared.errors import Invalid
from shared.models import Embedding, EmbeddingModel, EmbeddingState, KnowledgeChunk
from shared.queries.rows import removed

ROWS_PER_STATEMENT = 500
FRESH = timedelta(minutes=10)  # a vector counted on again so soon is not written anew


def known(session: Session, model: str, hashes: Collection[str]) -> set[str]:
    """Return those of the content hashes that have a vector under the model, which are as new from now on.

    Nobody may hold such a text any more, or not yet: its vector must outlast the work that counts on it.
    """
    if not hashes:
        return set()
    wanted = func.unnest(list(hashes))
    held = select(Embedding.content_hash).where(Embedding.model == model, Embedding.content_hash.in_(select(wanted)))
    # Stops a deletion and no other reader: a batch that asks for one document after another must never wait here.
    found = set(session.scalars(held.with_for_update(read=True, key_share=True)))
    if found:
        _renew(session, model, found)
    return found


def _renew(session: Session, model: str, hashes: Collection[str]) -> None:
    """Make old vectors as new as now; those that another transaction is renewing are left to it."""
    old = Embedding.created_at < func.clock_timestamp() - FRESH
    mine = select(Embedding.content_hash).where(Embedding.model == model, Embedding.content_hash.in_(hashes), old)
    free = mine.order_by(Embedding.content_hash).with_for_update(key_share=True, skip_locked=True).cte("free")
    these = (Embedding.model == model, Embedding.content_hash == free.c.content_hash)
    renewed = update(Embedding).where(*these).values(created_at=func.clock_timestamp())
    session.execute(renewed, execution_options={"synchronize_session": False})


def prune(session: Session, *, keep: timedelta, batch: int, after: str = "") -> tuple[int, str]:
    """Delete the vectors of the next `batch` hashes after one that no passage has, if older than `keep`.

    Vectors of zeros go at once: nothing is like them, and what lacks a vector is embedded again.

    Return how many went, and the last hash that was looked at: empty where there are no more.
    """
    hashes = select(Embedding.content_hash).where(Embedding.content_hash > after).distinct()
    looked_at = session.scalars(hashes.order_by(Embedding.content_hash).limit(batch)).all()
    if not looked_at:
        return 0, ""
    unread = ~exists().where(KnowledgeChunk.content_hash == Embedding.content_hash)
    old = Embedding.created_at < func.clock_timestamp() - keep
    empty = func.l2_norm(Embedding.vector) == 0
    these = Embedding.content_hash.in_(looked_at)
    left = select(Embedding.content_hash, Embedding.model).where(these, unread & old | empty)
    locked = left.with_for_update(skip_locked=True, of=Embedding).cte("locked")
    gone = (Embedding.content_hash == locked.c.content_hash) & (Embedding.model == locked.c.model)
    return removed(session, delete(Embedding).where(gone)), looked_at[-1]


def length(session: Session, model: str) -> int | None:
    """Return how many numbers a model's vectors have; None before its first."""
    return session.scalar(select(EmbeddingModel.dimensions).where(EmbeddingModel.name == model))


def ensure_model(session: Session, model: str, sizes: Collection[int]) -> None:
    """Register a model at its first vectors; raises Invalid when they are not all as long as those before."""
    stored = length(session, model)
    if stored is None:
        values = {"name": model, "dimensions": max(sizes), "state": EmbeddingState.SERVING}
        session.execute(insert(EmbeddingModel).values(values).on_conflict_do_nothing())
        stored = length(session, model)
    others = set(sizes) - {stored}
    if stored is not None and others:
        raise Invalid(misfit(model, stored, max(others)))


_NEW = (
    func.unnest(bindparam("hashes", type_=ARRAY(String)), bindparam("vectors", type_=ARRAY(Text)))
    .table_valued("content_hash", "vector")
    .render_derived(name="incoming")
)
_ADD = (
    insert(
        Embedding.metadata.tables[Embedding.__tablename__]
    )  # the table's: with values of its own, the class's would be a bulk insert
    .from_select(
        ["content_hash", "model", "vector"],
        select(_NEW.c.content_hash, bindparam("model", type_=String), cast(_NEW.c.vector, HALFVEC)),
    )
    .on_conflict_do_nothing()
)


def add(session: Session, model: str, vectors: Mapping[str, Sequence[float]]) -> None:
    """Store vectors by content hash; those that are there already stay."""
    rows = sorted(vectors.items())  # sorted: writers of the same texts wait, not deadlock
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        hashes, numbers = zip(*rows[start : start + ROWS_PER_STATEMENT], strict=True)
        written = [_written(vector) for vector in numbers]
        session.execute(_ADD, {"model": model, "hashes": list(hashes), "vectors": written})


def _written(vector: Sequence[float]) -> str:
    """Write a vector out as Postgres reads it; seven digits are more than half a float keeps."""
    return f"[{','.join(['%.7g'] * len(vector))}]" % tuple(vector)
