"""Hybrid search: nearest vectors and full text, fused by reciprocal rank."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import ColumnElement, Select, bindparam, cast, exists, func, select
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

DEPTH = 50  # passages of each collection that are ranked, where no more are wanted
Ranking = dict[str, CollectionType | None]  # passages, best first, with their collections
Ranked = Select[UUID, CollectionType | None]
BY_LENGTH = 1  # ts_rank divides by 1 + log(words), so that a long passage is not better for being long

FILTERS: dict[str, ColumnElement[bool]] = {  # by the field of Filter that they apply
    "persona_id": KnowledgeChunk.persona_id == bindparam("persona_id"),
    "collection": KnowledgeChunk.collection_type == bindparam("collection"),
    "sources": KnowledgeChunk.source.in_(bindparam("sources", expanding=True)),
}


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


def hybrid(
    session: Session, scope: Scope, question: Question, where: Filter, *, limit: int | None = None
) -> list[Passage]:
    """Return the `limit` best passages, or as many as `where` wants, best first, with their fused score."""
    by_words, by_vector = _by_words(session, scope, question, where), _by_vector(session, scope, question, where)
    scores = dict(fused(list(by_words), list(by_vector)))
    most = max(DEPTH, sum(where.top_k.values())) if limit is None else limit
    best = capped(scores, by_words | by_vector, where.top_k)[:most]
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
    values = {"vector": question.vector, "model": question.model}
    return _ranking(session, _nearest(*_given(where)), values | _values(scope, where))


def _by_words(session: Session, scope: Scope, question: Question, where: Filter) -> Ranking:
    """Rank by full text; a passage need not have all the words of a question."""
    words = " | ".join(keywords(question.text))
    return _ranking(session, _wordiest(*_given(where)), {"words": words} | _values(scope, where)) if words else {}


def _ranking(session: Session, statement: Ranked, values: dict[str, Any]) -> Ranking:
    return {str(id): collection for id, collection in session.execute(statement, values)}


def _given(where: Filter) -> list[str]:
    return [name for name in FILTERS if getattr(where, name) is not None]


def _values(scope: Scope, where: Filter) -> dict[str, Any]:
    depth = max(DEPTH, *where.top_k.values(), 0)
    return {"owner_id": scope.owner_id, "depth": depth} | {name: getattr(where, name) for name in _given(where)}


# Statements are built once for each set of filters: building one takes longer than most searches.


@cache
def _nearest(*filters: str) -> Ranked:
    distance = Embedding.vector.cosine_distance(bindparam("vector", type_=HALFVEC))
    under_model = (Embedding.content_hash == KnowledgeChunk.content_hash) & (Embedding.model == bindparam("model"))
    return _best_of_each(_among(distance, filters).join(Embedding, under_model))


@cache
def _wordiest(*filters: str) -> Ranked:
    any_word = func.to_tsquery(cast(DEFAULT_LANGUAGE, REGCONFIG), bindparam("words"))
    unlikeness = -func.ts_rank(KnowledgeChunk.tsv, any_word, BY_LENGTH)
    return _best_of_each(_among(unlikeness, filters).where(KnowledgeChunk.tsv.op("@@")(any_word)))


def _among(distance: ColumnElement[float], filters: Collection[str]) -> Select[*tuple[Any, ...]]:
    """Select passages with their place in their collection, the least distant first."""
    kind, order = KnowledgeChunk.collection_type, (distance, KnowledgeChunk.id)
    place = func.row_number().over(partition_by=kind, order_by=order).label("place")
    statement = select(KnowledgeChunk.id, kind, distance.label("distance"), place)
    mine = statement.where(KnowledgeChunk.owner_id == bindparam("owner_id"))
    return mine.where(*(FILTERS[name] for name in filters))


def _best_of_each(statement: Select[*tuple[Any, ...]]) -> Ranked:
    """Take the best of each collection, lest a long book crowd out all else, and put them in one order."""
    found = statement.subquery().c
    best = select(found.id, found.collection_type).where(found.place <= bindparam("depth"))
    return best.order_by(found.distance, found.id)


def list_passages(session: Session, scope: Scope, chunk_ids: Sequence[str]) -> list[Passage]:
    """Return passages by their ids, in that order; those that are gone are left out."""
    mine = select(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id)
    chunks = session.scalars(mine.where(KnowledgeChunk.id.in_(map(UUID, chunk_ids))))
    by_id = {str(chunk.id): chunk for chunk in chunks}
    return [_passage(by_id[key], 0.0) for key in chunk_ids if key in by_id]
