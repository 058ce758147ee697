"""Hybrid search: nearest vectors and full text, fused by reciprocal rank."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Select, cast, exists, func, select
from sqlalchemy.dialects.postgresql import REGCONFIG
from sqlalchemy.orm import Session

from shared.domain.persona import CollectionType
from shared.domain.prompt import Passage
from shared.domain.retrieval import TopK, capped, fused
from shared.domain.text import keywords
from shared.models import Embedding, KnowledgeChunk, Persona
from shared.models.knowledge import DEFAULT_LANGUAGE
from shared.queries import files
from shared.queries.scope import Scope

DEPTH = 50  # rows of each ranking that are fused
Ranking = dict[str, CollectionType | None]  # passages, best first, with their collections
BY_LENGTH = 1  # ts_rank divides by 1 + log(words), so that a long passage is not better for being long


@dataclass(frozen=True)
class Question:
    """What is sought: the words, and their vector under a model, if there is one."""

    text: str
    vector: Sequence[float] | None
    model: str


@dataclass(frozen=True)
class Filter:
    """Where it is sought, None meaning anywhere of the scope's, and how many passages of a collection are wanted."""

    persona_id: UUID | None = None
    collection: CollectionType | None = None
    sources: Collection[str] | None = None
    top_k: TopK = field(default_factory=dict)


def of_persona(
    persona: Persona, collection: CollectionType | None = None, sources: Collection[str] | None = None
) -> Filter:
    """Return where a persona's passages are, as many of each collection as it recalls."""
    top_k = {each: files.asked_for(persona, each).top_k for each in CollectionType}
    return Filter(persona.id, collection, sources, top_k)


def has_read(session: Session, persona: Persona) -> bool:
    """Say whether a persona has any passages."""
    mine = exists().where(KnowledgeChunk.persona_id == persona.id, KnowledgeChunk.owner_id == persona.owner_id)
    return session.scalar(select(mine)) or False


def hybrid(session: Session, scope: Scope, question: Question, where: Filter, *, limit: int = DEPTH) -> list[Passage]:
    """Return the `limit` best passages, best first, with their fused score."""
    by_words, by_vector = _by_words(session, scope, question, where), _by_vector(session, scope, question, where)
    scores = dict(fused(list(by_words), list(by_vector)))
    best = capped(scores, by_words | by_vector, where.top_k)[:limit]
    chunks = session.scalars(select(KnowledgeChunk).where(KnowledgeChunk.id.in_(map(UUID, best))))
    by_id = {str(chunk.id): chunk for chunk in chunks}
    return [_passage(by_id[key], scores[key]) for key in best]


def _passage(chunk: KnowledgeChunk, score: float) -> Passage:
    return Passage(
        chunk_id=str(chunk.id),
        content=chunk.content,
        title=chunk.title,
        source=chunk.source,
        page=chunk.page,
        collection=chunk.collection_type.value if chunk.collection_type else None,
        score=round(score, 6),
    )


def _by_vector(session: Session, scope: Scope, question: Question, where: Filter) -> Ranking:
    """Rank by cosine distance; an exact scan, which is right and fast enough below 20,000 passages of a persona."""
    if question.vector is None:
        return {}
    statement = (
        _among(scope, where)
        .join(Embedding, Embedding.content_hash == KnowledgeChunk.content_hash)
        .where(Embedding.model == question.model)
        .order_by(Embedding.vector.cosine_distance(question.vector), KnowledgeChunk.id)
    )
    return _ranked(session, statement)


def _by_words(session: Session, scope: Scope, question: Question, where: Filter) -> Ranking:
    """Rank by full text; a passage need not have all the words of a question."""
    words = " | ".join(keywords(question.text))
    any_word = func.to_tsquery(cast(DEFAULT_LANGUAGE, REGCONFIG), words)
    statement = (
        _among(scope, where)
        .where(KnowledgeChunk.tsv.op("@@")(any_word))
        .order_by(func.ts_rank(KnowledgeChunk.tsv, any_word, BY_LENGTH).desc(), KnowledgeChunk.id)
    )
    return _ranked(session, statement) if words else {}


def _ranked(session: Session, statement: Select[UUID, CollectionType | None]) -> Ranking:
    return {str(id): collection for id, collection in session.execute(statement.limit(DEPTH))}


def _among(scope: Scope, where: Filter) -> Select[UUID, CollectionType | None]:
    chunks = select(KnowledgeChunk.id, KnowledgeChunk.collection_type)
    statement = chunks.where(KnowledgeChunk.owner_id == scope.owner_id)
    if where.persona_id is not None:
        statement = statement.where(KnowledgeChunk.persona_id == where.persona_id)
    if where.collection is not None:
        statement = statement.where(KnowledgeChunk.collection_type == where.collection)
    if where.sources is not None:
        statement = statement.where(KnowledgeChunk.source.in_(where.sources))
    return statement


def list_passages(session: Session, scope: Scope, chunk_ids: Sequence[str]) -> list[Passage]:
    """Return passages by their ids, in that order; those that are gone are left out."""
    mine = select(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id)
    chunks = session.scalars(mine.where(KnowledgeChunk.id.in_(map(UUID, chunk_ids))))
    by_id = {str(chunk.id): chunk for chunk in chunks}
    return [_passage(by_id[key], 0.0) for key in chunk_ids if key in by_id]
