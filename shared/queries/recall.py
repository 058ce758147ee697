"""What is found about a question, and whether it may be less than there is: one truth for searches and for replies."""

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.orm import Session

from shared.domain.prompt import Passage
from shared.domain.retrieval import misfit
from shared.queries import embeddings, search
from shared.queries.scope import Scope
from shared.queries.search import Filter, Question


class Found(NamedTuple):
    """Passages, best first, and why more might have been found, if so."""

    passages: list[Passage]
    reason: str | None


def find(session: Session, scope: Scope, question: Question, where: Filter, *, limit: int | None = None) -> Found:
    """Search by words and by meaning, by words only where no vector can be compared, and say so."""
    question = _comparable(session, question)
    passages = search.hybrid(session, scope, question, where, limit=limit)
    return Found(passages, question.reason or _lacking(search.count_without_vector(session, scope, question, where)))


def _comparable(session: Session, question: Question) -> Question:
    """Leave out a vector that is of another length than those it would be compared with."""
    stored = embeddings.length(session, question.model)
    if question.vector is None or stored in (None, len(question.vector)):
        return question
    why = misfit(question.model, stored, len(question.vector))
    return replace(question, vector=None, reason=f"searched by words only: {why}")


def _lacking(count: int) -> str | None:
    """Say why not all passages could be found by their meaning, if so."""
    return f"searched by words only, for want of a vector: {count} passage{'s' * (count > 1)}" if count else None
