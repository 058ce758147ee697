"""Embed passages that no document brought: the vectors are stored as they come, and nothing else is to be written."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.embedding import steps
from services.embedding.line import Entry
from services.embedding.steps import EmbeddingTools
from shared.models import PassageEmbedding
from shared.queries import passage_embeddings


class Lacking(NamedTuple):
    """A row, whose it is, and by hash the texts that have no vector yet."""

    row_id: int
    owner: str
    texts: dict[str, str]


def load(session: Session, row: PassageEmbedding, with_: EmbeddingTools) -> Lacking:
    """Read the texts that have no vector yet."""
    return Lacking(row.id, row.owner_id, passage_embeddings.texts(session, row, model=with_.embedding.model))


def work(lacking: Lacking, with_: EmbeddingTools) -> None:
    """Ask for their vectors; raises Transient while the server is away, Stopped when told to stop."""
    row_id, owner, texts = lacking
    steps.embed_in_turn(Entry(row_id, owner, dict(texts), Counter(texts.keys()), is_step=False), with_)


def save(session: Session, row: PassageEmbedding, done: None) -> None:
    """Write nothing: see `steps.keep`."""
