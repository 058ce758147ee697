"""Hybrid search: nearest vectors and rarest words, fused by reciprocal rank; what is meant for sure comes first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import log10
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSQUERY
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TableValuedAlias

from shared.domain.lexemes import as_literal, sought
from shared.domain.persona import CollectionType
from shared.domain.prompt import Passage
from shared.domain.retrieval import Hit, TopK, capped, copies, exact_first, fused, without_copies
from shared.domain.text import GRAMMAR
from shared.models import Embedding, KnowledgeChunk, Persona
from shared.queries.documents import files
from shared.queries.knowledge import chunks
from shared.queries.scope import Scope

DEPTH = 50  # passages of each collection that are ranked, where no more are wanted
Ranking = dict[str, Hit]  # passages, best first
SURER = 100.0  # times that a word weighs more which is surely meant
MOST_WORDS = 64  # of a question: each is looked up by itself
NAMED = 3  # files at most that hold a passage, by their names
RARE = 5  # passages at most that hold a number for it to be surely meant: a year may be in all of them

NO_ANGLE = cast("NaN", Float)  # the distance to a vector of zeros

FILTERS: dict[str, ColumnElement[bool]] = {  # by the field of Filter that they apply
    "persona_id": KnowledgeChunk.persona_id == bindparam("persona_id"),
    "collection": KnowledgeChunk.collection_type == bindparam("collection"),
    "sources": KnowledgeChunk.source.in_(bindparam("sources", expanding=True)),
    "chunk_metadata": KnowledgeChunk.chunk_metadata.contains(bindparam("chunk_metadata", type_=JSONB)),
}


@dataclass(frozen=True)
class Question:
    """What is sought: the words, and their vector under a model, if there is one.

    A passage whose cosine to `aim`, or to the vector if there is no other aim, is below `least` is not found by its
    meaning; `rise` is added for each tenfold of passages. `reason` says why there is no vector.
    """

    text: str
    vector: Sequence[float] | None
    model: str
    least: float = -1.0
    reason: str | None = None
    aim: Sequence[float] | None = None
    rise: float = 0.0

    def least_among(self, passages: int) -> float:
        """Return the limit among so many: the nearest of many that have nothing to do with it is nearer."""
        return self.least + self.rise * log10(max(1, passages))


@dataclass(frozen=True)
class Filter:
    """Where it is sought, None meaning anywhere of the scope's, and how many passages of a collection are wanted."""

    persona_id: UUID | None = None
    collection: CollectionType | None = None
    sources: Collection[str] | None = None
    top_k: TopK = field(default_factory=dict)
    chunk_metadata: Mapping[str, Any] | None = None  # that a passage's own must contain


def of_persona(
    persona: Persona, collection: CollectionType | None = None, sources: Collection[str] | None = None
) -> Filter:
    """Return where a persona's passages are, as many of each collection as it recalls."""
    top_k = {each: files.asked_for(persona, each).top_k for each in CollectionType}
    return Filter(persona.id, collection, sources, top_k)


def has_read(session: Session, persona: Persona) -> bool:
    """Say whether a persona has any passages."""
    mine = select(chunks.HAS_READ).select_from(Persona).where(Persona.id == persona.id)
    return session.scalar(mine) or False


def count_without_vector(session: Session, scope: Scope, question: Question, where: Filter) -> int:
    """Count the passages that can be found by words only, because no vector of theirs is there under the model."""
    values = {"model": question.model} | _values(scope, where)
    return session.scalar(_without_vector(*_given(where)), values) or 0


def hybrid(
    session: Session, scope: Scope, question: Question, where: Filter, *, limit: int | None = None
) -> list[Passage]:
    """Return the `limit` best passages, or as many as `where` wants, best first, with their fused score."""
    found_by_words = _by_words(session, scope, question, where)
    found_by_vector, among = _by_vector(session, scope, question, where)
    same = copies(found_by_words, found_by_vector)
    by_words, by_vector = (without_copies(ranking, same) for ranking in (found_by_words, found_by_vector))
    least = question.least_among(among)
    hits = {key: hit for key, hit in (by_vector | by_words).items() if hit.is_about(least)}
    ranked = ([key for key in ranking if key in hits] for ranking in (by_words, by_vector))
    scores = dict(exact_first(fused(*ranked), _exact(by_words)))
    most = max(DEPTH, sum(where.top_k.values())) if limit is None else limit
    best = capped(scores, {key: hit.collection for key, hit in hits.items()}, where.top_k)[:most]
    found = _chunks(session, [key for shown in best for key in same[shown][:NAMED]])
    return [
        _passage([found[key] for key in same[shown][:NAMED]], scores[shown], hits[shown].similarity) for shown in best
    ]


def _chunks(session: Session, keys: Sequence[str]) -> dict[str, KnowledgeChunk]:
    chunks = session.scalars(select(KnowledgeChunk).where(KnowledgeChunk.id.in_(map(UUID, keys))))
    return {str(chunk.id): chunk for chunk in chunks}


def _passage(same: Sequence[KnowledgeChunk], score: float, similarity: float | None = None) -> Passage:
    """Return the first of some passages with the same text, and what the others are called."""
    chunk, *others = same
    passage = Passage(
        chunk_id=str(chunk.id),
        content=chunk.content,
        title=chunk.title,
        source=chunk.source,
        page=chunk.page,
        collection=chunk.collection_type.value if chunk.collection_type else None,
        score=round(score, 6),
        similarity=None if similarity is None else round(similarity, 4),
    )
    names = dict.fromkeys(Passage("", "", other.title, other.source).name() for other in others)
    return replace(passage, also=tuple(name for name in names if name != passage.name()))


def _by_vector(session: Session, scope: Scope, question: Question, where: Filter) -> tuple[Ranking, int]:
    """Rank by cosine distance, and say among how many.

    An exact scan, which is right and fast enough below 20,000 passages of a persona.
    """
    if question.vector is None:
        return {}, 0
    rows = session.execute(_nearest(*_given(where)), _meant(question) | _values(scope, where)).all()
    ranking = {
        str(row.id): Hit(row.collection_type, row.similarity, row.nearness, text=row.content_hash) for row in rows
    }
    return ranking, rows[0].among if rows else 0


def _by_words(session: Session, scope: Scope, question: Question, where: Filter) -> Ranking:
    """Rank by words, the rare ones first, of which a passage need not have all."""
    words = sought(question.text)[:MOST_WORDS]
    if not words:
        return {}
    asked = {"lexemes": [as_literal(each.lexeme) for each in words], "sureties": [each.surety for each in words]}
    rows = session.execute(_wordiest(*_given(where)), asked | _meant(question) | _values(scope, where))
    telling = any(each.lexeme not in GRAMMAR for each in words)
    return {
        str(row.id): Hit(
            row.collection_type, row.similarity, row.nearness, telling * row.share, row.surety, row.content_hash
        )
        for row in rows
    }


def _exact(by_words: Ranking) -> set[str]:
    """Return the passages that hold the surest of what is sought as it is written."""
    surest = max((hit.surety for hit in by_words.values()), default=0)
    return {key for key, hit in by_words.items() if hit.surety == surest > 0}


def _meant(question: Question) -> dict[str, Any]:
    aim = question.vector if question.aim is None else question.aim
    return {"vector": question.vector, "aim": aim, "model": question.model}


def _given(where: Filter) -> list[str]:
    return [name for name in FILTERS if getattr(where, name) is not None]


def _values(scope: Scope, where: Filter) -> dict[str, Any]:
    depth = max(DEPTH, *where.top_k.values(), 0)
    return {"owner_id": scope.owner_id, "depth": depth} | {name: getattr(where, name) for name in _given(where)}


# Statements are built once for each set of filters: building one takes longer than most searches.


@cache
def _nearest(*filters: str) -> Select[*tuple[Any, ...]]:
    """Take the nearest of each collection, and put them in one order."""
    distance, under_model = _distance(), _under_model()
    kind, text = KnowledgeChunk.collection_type, KnowledgeChunk.content_hash
    vector = Embedding.vector.label("vector")
    among = func.count().over().label("among")
    place = _place(kind, distance, text)
    statement = select(KnowledgeChunk.id, kind, text, vector, among, distance.label("distance"), place)
    found = _mine(statement.join(Embedding, under_model), filters).subquery().c
    similarity, nearness = (1 - found.distance).label("similarity"), _nearness(found.vector)
    best = select(found.id, found.collection_type, found.content_hash, found.among, similarity, nearness)
    near = (found.place <= bindparam("depth"), found.distance != NO_ANGLE)
    return best.where(*near).order_by(found.distance, found.id)


def _distance() -> ColumnElement[float]:
    return _distance_to("vector", Embedding.vector)


def _distance_to(name: str, vector: Any) -> ColumnElement[float]:
    distance: ColumnElement[float] = vector.cosine_distance(cast(bindparam(name, type_=HALFVEC), HALFVEC))
    return distance


def _nearness(vector: Any) -> ColumnElement[float]:
    return func.nullif(1 - _distance_to("aim", vector), NO_ANGLE).label("nearness")


def _under_model() -> ColumnElement[bool]:
    return (Embedding.content_hash == KnowledgeChunk.content_hash) & (Embedding.model == bindparam("model"))


@cache
def _without_vector(*filters: str) -> Select[int]:
    return _mine(select(func.count()).select_from(KnowledgeChunk).where(~exists().where(_under_model())), filters)


@cache
def _wordiest(*filters: str) -> Select[*tuple[Any, ...]]:
    """Weigh each word by how few of the passages searched hold it, and the sure ones above all others."""
    total = _mine(select(func.count()).select_from(KnowledgeChunk), filters).scalar_subquery()
    score = _scores(filters, total).subquery().c
    key, kind = KnowledgeChunk.id, KnowledgeChunk.collection_type
    unlikeness = -score.worth / (1 + func.ln(1 + func.octet_length(KnowledgeChunk.content)))
    hash, told = KnowledgeChunk.content_hash, (score.surety, score.share)
    columns = (key, kind, hash, *told, unlikeness.label("unlikeness"), _place(kind, unlikeness, hash))
    found = select(*columns).join(KnowledgeChunk, key == score.id).subquery().c
    vector = (Embedding.content_hash == found.content_hash) & (Embedding.model == bindparam("model"))
    similarity = func.nullif(1 - _distance(), NO_ANGLE).label("similarity")
    found_as = (found.content_hash, found.surety, found.share, similarity, _nearness(Embedding.vector))
    best = select(found.id, found.collection_type, *found_as)
    ranked = best.outerjoin_from(found.id.table, Embedding, vector).where(found.place <= bindparam("depth"))
    return ranked.order_by(found.unlikeness, found.id)


def _asked() -> TableValuedAlias:
    """Return the words of a question as rows."""
    arrays = bindparam("lexemes", type_=ARRAY(Text)), bindparam("sureties", type_=ARRAY(Integer))
    return func.unnest(*arrays).table_valued(column("lexeme", Text), column("surety", Integer)).render_derived("asked")


def _hits(asked: TableValuedAlias, filters: Collection[str]) -> CTE:
    """Select each word of a question with each passage that holds it, word by word from the index."""
    holds = KnowledgeChunk.tsv.op("@@")(cast(asked.c.lexeme, TSQUERY))
    # Without an OFFSET, Postgres would rather read all passages, with all their words.
    holder = _mine(select(KnowledgeChunk.id).where(holds), filters).offset(0).lateral("holder")
    return select(asked.c.lexeme, asked.c.surety, holder.c.id).select_from(asked.join(holder, true())).cte("hits")


def _scores(filters: Collection[str], total: ScalarSelect[int]) -> Select[*tuple[Any, ...]]:
    """Add up what the words of each passage are worth, alone and of all words, and say how surely it is meant."""
    asked = _asked()
    hits = _hits(asked, filters)
    held = select(hits.c.lexeme, func.count().label("holders")).group_by(hits.c.lexeme).subquery().c
    holders = func.coalesce(held.holders, 0)
    rarity = func.ln(1 + cast(total - holders + 0.5, Float) / cast(holders + 0.5, Float)).label("rarity")
    words = select(asked.c.lexeme, holders.label("holders"), rarity)
    word = words.select_from(asked.outerjoin(held.lexeme.table, held.lexeme == asked.c.lexeme)).cte("words").c
    surety = case((hits.c.surety == 1, cast(word.holders <= RARE, Integer)), else_=hits.c.surety)
    worth = func.sum(word.rarity * func.power(SURER, surety)).label("worth")
    share = func.sum(word.rarity) / select(func.sum(word.rarity)).scalar_subquery()
    statement = select(hits.c.id, worth, share.label("share"), func.max(surety).label("surety"))
    return statement.join(word.lexeme.table, word.lexeme == hits.c.lexeme).group_by(hits.c.id)


def _mine(statement: Select[*tuple[Any, ...]], filters: Collection[str]) -> Select[*tuple[Any, ...]]:
    mine = statement.where(KnowledgeChunk.owner_id == bindparam("owner_id"))
    return mine.where(*(FILTERS[name] for name in filters))


def _place(kind: Any, distance: ColumnElement[Any], text: Any) -> ColumnElement[int]:
    """Return a text's place in its collection, the same for all that hold it, lest a long book crowd out all else."""
    return func.dense_rank().over(partition_by=kind, order_by=(distance, text)).label("place")


def list_passages(session: Session, scope: Scope, chunk_ids: Sequence[str]) -> list[Passage]:
    """Return passages by their ids, in that order; those that are gone are left out."""
    mine = select(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id)
    chunks = session.scalars(mine.where(KnowledgeChunk.id.in_(map(UUID, chunk_ids))))
    by_id = {str(chunk.id): chunk for chunk in chunks}
    return [_passage([by_id[key]], 0.0) for key in chunk_ids if key in by_id]
