"""What is found about a question, and whether it may be less than there is: one truth for searches and for replies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.orm import Session

from shared.domain.background import Background
from shared.domain.e5_background import E5
from shared.domain.prompt import Passage
from shared.domain.retrieval import misfit
from shared.queries.knowledge import embeddings, search
from shared.queries.knowledge.search import Filter, Question
from shared.queries.scope import Scope
from shared.settings import Settings

BACKGROUNDS: dict[str, Background] = {"multilingual-e5-small": E5}  # by model, where it was measured


class Found(NamedTuple):
    """Passages, best first, and why more might have been found, if so."""

    passages: list[Passage]
    reason: str | None


def question(text: str, vector: Sequence[float] | None, reason: str | None, settings: Settings) -> Question:
    """Return what is sought: with a limit to what its meaning finds where the operator set one, or it was measured."""
    plain = Question(text, vector, settings.embedding_model, settings.least_similarity, reason)
    background = BACKGROUNDS.get(settings.embedding_model) if settings.min_similarity is None else None
    if background is None or vector is None or len(vector) != len(background.asked):
        return plain
    aim, least, rise = background.aim(vector)
    return replace(plain, aim=aim, least=least, rise=rise)


def find(session: Session, scope: Scope, asked: Question, where: Filter, *, limit: int | None = None) -> Found:
    """Search by words and by meaning, by words only where no vector can be compared, and say so."""
    asked = _comparable(session, asked)
    passages = search.hybrid(session, scope, asked, where, limit=limit)
    return Found(passages, asked.reason or _lacking(search.count_without_vector(session, scope, asked, where)))


def _comparable(session: Session, asked: Question) -> Question:
    """Leave out a vector that is of another length than those it would be compared with."""
    stored = embeddings.length(session, asked.model)
    if asked.vector is None or stored in (None, len(asked.vector)):
        return asked
    why = misfit(asked.model, stored, len(asked.vector))
    return replace(asked, vector=None, aim=None, reason=f"searched by words only: {why}")


def _lacking(count: int) -> str | None:
    """Say why not all passages could be found by their meaning, if so."""
    return f"searched by words only, for want of a vector: {count} passage{'s' * (count > 1)}" if count else None
