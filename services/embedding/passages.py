"""Embed passages that no document brought: the vectors are stored as they come, and nothing else is to be written."""

from sqlalchemy.orm import Session

from services.embedding import steps
from services.embedding.steps import Tools
from shared.models import PassageEmbedding
from shared.queries import passage_embeddings

Texts = dict[str, str]


def load(session: Session, row: PassageEmbedding, with_: Tools) -> Texts:
    """Read the texts that have no vector yet, by their hashes."""
    return passage_embeddings.texts(session, row, model=with_.embedding.model)


def work(texts: Texts, with_: Tools) -> None:
    """Ask for their vectors; raises Transient while the server is away, Stopped when told to stop."""
    steps.embed_missing(texts, with_)


def save(session: Session, row: PassageEmbedding, done: None) -> None:
    """Write nothing: see `steps.keep`."""
