"""Hybrid search: nearest vectors and rarest words, fused by reciprocal rank; what is meant for sure comes first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Integer,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.orm import Session

from shared.domain.lexemes import as_literal, sought
from shared.domain.persona import CollectionType
from shared.domain.prompt import Passage
from shared.domain.retrieval import TopK, capped, exact_first, fused
from shared.models import Embedding, KnowledgeChunk, Persona
from shared.queries import files
from shared.queries.scope import Scope

DEPTH = 50  # passages of each collection that are ranked, where no more are wanted
Ranking = dict[str, CollectionType | None]  # passages, best first, with their collections
Ranked = Select[UUID, CollectionType | None]
SURER = 100.0  # times that a word weighs more which is surely meant
MOST_WORDS = 64  # of a question: each is looked up by itself
RARE = 5  # passages at most that hold a number for it to be surely meant: a year may be in all of them

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


def count_without_vector(session: Session, scope: Scope, question: Question, where: Filter) -> int:
    """Count the passages that can be found by words only, because no vector of theirs is there under the model."""
    values = {"model": question.model} | _values(scope, where)
    return session.scalar(_without_vector(*_given(where)), values) or 0


def hybrid(
    session: Session, scope: Scope, question: Question, where: Filter, *, limit: int | None = None
) -> list[Passage]:
    """Return the `limit` best passages, or as many as `where` wants, best first, with their fused score."""
    by_words, exact = _by_words(session, scope, question, where)
    by_vector = _by_vector(session, scope, question, where)
    scores = dict(exact_first(fused(list(by_words), list(by_vector)), exact))
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


def _by_words(session: Session, scope: Scope, question: Question, where: Filter) -> tuple[Ranking, set[str]]:
    """Rank by words, the rare ones first, of which a passage need not have all; say which hold the surest as it is."""
    words = sought(question.text)[:MOST_WORDS]
    if not words:
        return {}, set()
    asked = {"lexemes": [as_literal(each.lexeme) for each in words], "sureties": [each.surety for each in words]}
    rows = session.execute(_wordiest(*_given(where)), asked | _values(scope, where)).all()
    surest = max((row.surety for row in rows), default=0)
    exact = {str(row.id) for row in rows if row.surety == surest > 0}
    return {str(row.id): row.collection_type for row in rows}, exact


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
    """Take the nearest of each collection, and put them in one order."""
    distance = Embedding.vector.cosine_distance(bindparam("vector", type_=HALFVEC))
    under_model = (Embedding.content_hash == KnowledgeChunk.content_hash) & (Embedding.model == bindparam("model"))
    kind, key = KnowledgeChunk.collection_type, KnowledgeChunk.id
    statement = select(key, kind, distance.label("distance"), _place(kind, distance, key))
    found = _mine(statement.join(Embedding, under_model), filters).subquery().c
    best = select(found.id, found.collection_type).where(found.place <= bindparam("depth"))
    return best.order_by(found.distance, found.id)


@cache
def _without_vector(*filters: str) -> Select[int]:
    under_model = (Embedding.content_hash == KnowledgeChunk.content_hash) & (Embedding.model == bindparam("model"))
    return _mine(select(func.count()).select_from(KnowledgeChunk).where(~exists().where(under_model)), filters)


@cache
def _wordiest(*filters: str) -> Select[UUID, CollectionType | None, int]:
    """Weigh each word by how few of the passages searched hold it, and the sure ones above all others."""
    total = _mine(select(func.count()).select_from(KnowledgeChunk), filters).scalar_subquery()
    score = _scores(_hits(filters), total).subquery().c
    key, kind = KnowledgeChunk.id, KnowledgeChunk.collection_type
    unlikeness = -score.worth / (1 + func.ln(1 + func.octet_length(KnowledgeChunk.content)))
    columns = (key, kind, score.surety, unlikeness.label("distance"), _place(kind, unlikeness, key))
    found = select(*columns).join(KnowledgeChunk, key == score.id).subquery().c
    best = select(found.id, found.collection_type, found.surety).where(found.place <= bindparam("depth"))
    return best.order_by(found.distance, found.id)


def _hits(filters: Collection[str]) -> CTE:
    """Select each word of a question with each passage that holds it, word by word from the index."""
    arrays = bindparam("lexemes", type_=ARRAY(Text)), bindparam("sureties", type_=ARRAY(Integer))
    asked = func.unnest(*arrays).table_valued(column("lexeme", Text), column("surety", Integer)).render_derived("asked")
    holds = KnowledgeChunk.tsv.op("@@")(cast(asked.c.lexeme, TSQUERY))
    # Without an OFFSET, Postgres would rather read all passages, with all their words.
    holder = _mine(select(KnowledgeChunk.id).where(holds), filters).offset(0).lateral("holder")
    return select(asked.c.lexeme, asked.c.surety, holder.c.id).select_from(asked.join(holder, true())).cte("hits")


def _scores(hits: CTE, total: ScalarSelect[int]) -> Select[*tuple[Any, ...]]:
    """Add up what the words of each passage are worth, and say how surely it is meant."""
    holders = func.count().label("holders")
    word = select(hits.c.lexeme, holders).group_by(hits.c.lexeme).subquery().c
    surety = case((hits.c.surety == 1, cast(word.holders <= RARE, Integer)), else_=hits.c.surety)
    rarity = func.ln(1 + cast(total - word.holders + 0.5, Float) / cast(word.holders + 0.5, Float))
    worth = func.sum(rarity * func.power(SURER, surety)).label("worth")
    statement = select(hits.c.id, worth, func.max(surety).label("surety"))
    return statement.join(word.lexeme.table, word.lexeme == hits.c.lexeme).group_by(hits.c.id)


def _mine(statement: Select[*tuple[Any, ...]], filters: Collection[str]) -> Select[*tuple[Any, ...]]:
    mine = statement.where(KnowledgeChunk.owner_id == bindparam("owner_id"))
    return mine.where(*(FILTERS[name] for name in filters))


def _place(kind: Any, distance: ColumnElement[Any], key: Any) -> ColumnElement[int]:
    """Return a passage's place in its collection, lest a long book crowd out all else."""
    return func.row_number().over(partition_by=kind, order_by=(distance, key)).label("place")


def list_passages(session: Session, scope: Scope, chunk_ids: Sequence[str]) -> list[Passage]:
    """Return passages by their ids, in that order; those that are gone are left out."""
    mine = select(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id)
    chunks = session.scalars(mine.where(KnowledgeChunk.id.in_(map(UUID, chunk_ids))))
    by_id = {str(chunk.id): chunk for chunk in chunks}
    return [_passage(by_id[key], 0.0) for key in chunk_ids if key in by_id]
