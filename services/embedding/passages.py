"""Embed passages that no document brought: the vectors are stored as they come, and nothing else is to be written."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.embedding import steps
from services.embedding.line import Entry
from services.embedding.steps import EmbeddingTools
from shared.errors import Rejected
from shared.models import PassageEmbedding
from shared.queries.knowledge import passage_embeddings


class Lacking(NamedTuple):
    """A row, whose it is, and by hash the texts that have no vector yet."""

    row_id: int
    owner: str
    texts: dict[str, str]


def load(session: Session, row: PassageEmbedding, with_: EmbeddingTools) -> Lacking:
    """Read the texts that have no vector yet."""
    return Lacking(row.id, row.owner_id, passage_embeddings.texts(session, row, model=with_.embedding.model))


def work(lacking: Lacking, with_: EmbeddingTools) -> None:
    """Ask for their vectors; raises Transient while the server is away, Stopped when told to stop.

    What the server refuses for a text keeps the others from nothing: those are asked for again in halves, to find it
    out; raises Rejected in the end.
    """
    parts, refusals = [lacking.texts], []
    while parts:
        part = parts.pop()
        entry = Entry(lacking.row_id, lacking.owner, dict(part), Counter(part.keys()), is_step=False)
        try:
            steps.embed_in_turn(entry, with_)
        except Rejected as error:
            if not error.details.get("of_texts"):
                raise
            parts += _halves(entry.waiting)
            refusals += [error] * (len(entry.waiting) == 1)
    if refusals:
        raise Rejected(f"{len(refusals)} of {len(lacking.texts)} passages have no vector: {refusals[0]}")


def _halves(texts: dict[str, str]) -> list[dict[str, str]]:
    """Divide texts in two, as long as there are two."""
    items = list(texts.items())
    half = len(items) // 2
    return [dict(items[:half]), dict(items[half:])] if half else []


def save(session: Session, row: PassageEmbedding, done: None) -> None:
    """Write nothing: see `steps.keep`."""
