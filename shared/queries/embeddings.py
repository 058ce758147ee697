"""Vectors by the hash of their text: a text is embedded once for all who hold it."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.errors import Invalid
from shared.models import Embedding, EmbeddingModel, EmbeddingState

ROWS_PER_STATEMENT = 500


def known(session: Session, model: str, hashes: Collection[str]) -> set[str]:
    """Return those of the content hashes that have a vector under the model."""
    wanted = func.unnest(list(hashes))
    statement = select(Embedding.content_hash).where(
        Embedding.model == model, Embedding.content_hash.in_(select(wanted))
    )
    return set(session.scalars(statement))


def ensure_model(session: Session, model: str, sizes: Collection[int]) -> None:
    """Register a model at its first vectors; raises Invalid when they are not all as long as those before."""
    dimensions = max(sizes)
    values = {"name": model, "dimensions": dimensions, "state": EmbeddingState.SERVING}
    session.execute(insert(EmbeddingModel).values(values).on_conflict_do_nothing())
    stored = session.scalars(select(EmbeddingModel.dimensions).where(EmbeddingModel.name == model)).one()
    if set(sizes) != {stored}:
        raise Invalid(f"the model {model} has vectors of {stored} numbers here and now sent {dimensions}: rename it")


def add(session: Session, model: str, vectors: Mapping[str, Sequence[float]]) -> None:
    """Store vectors by content hash; those that are there already stay."""
    rows = [
        {"content_hash": content_hash, "model": model, "vector": vector}
        for content_hash, vector in sorted(vectors.items())  # sorted: writers of the same texts wait, not deadlock
    ]
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        batch = rows[start : start + ROWS_PER_STATEMENT]
        session.execute(insert(Embedding).values(batch).on_conflict_do_nothing())
