"""Knowledge chunks: once per source and external id, found by their words."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from shared.db import get_session
from shared.domain.text import content_hash
from shared.errors import Invalid
from shared.models import KnowledgeChunk, Persona
from shared.queries.knowledge import chunks as knowledge
from shared.queries.scope import DEFAULT_SCOPE, Scope

OTHER = Scope("other")


@pytest.fixture
def statements(shared_engine: Engine) -> Iterator[list[str]]:
    """The statements sent to the database while the test runs."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("SAVEPOINT"):  # the fixture's own
            sent.append(statement)

    event.listen(shared_engine, "before_cursor_execute", note)
    yield sent
    event.remove(shared_engine, "before_cursor_execute", note)


def chunk(content: str = "text", **columns: object) -> dict[str, object]:
    return {"source": "docs", "content": content} | columns


def matching(session: Session, words: str) -> list[str]:
    query = func.plainto_tsquery("simple", words)
    found = select(KnowledgeChunk.content).where(KnowledgeChunk.tsv.bool_op("@@")(query))
    return list(session.scalars(found.order_by(KnowledgeChunk.content)))


@pytest.mark.capability("C105")
def test_a_chunk_written_twice_is_one_row_with_the_second_text(session: Session):
    first = knowledge.upsert(session, DEFAULT_SCOPE, chunk("one", external_id="a"))
    second = knowledge.upsert(session, DEFAULT_SCOPE, chunk("two", external_id="a"))
    assert second is first
    assert (first.content, first.content_hash) == ("two", content_hash("two"))
    assert first.updated_at > first.created_at
    assert session.query(KnowledgeChunk).count() == 1


@pytest.mark.capability("C105")
def test_what_is_left_out_stays(session: Session):
    knowledge.upsert(
        session, DEFAULT_SCOPE, chunk("one", external_id="a", title="Title", chunk_metadata={"k": 1}, page=3)
    )
    again = knowledge.upsert(session, DEFAULT_SCOPE, chunk("two", external_id="a"))
    assert (again.title, again.chunk_metadata, again.page) == ("Title", {"k": 1}, 3)
    assert matching(session, "title") == ["two"]
    assert matching(session, "one") == []
    knowledge.upsert(session, DEFAULT_SCOPE, chunk("two", external_id="a", title="Name"))
    assert (matching(session, "title"), matching(session, "name")) == ([], ["two"])


@pytest.mark.capability("C105")
def test_without_an_external_id_every_write_is_a_new_row(session: Session):
    knowledge.upsert(session, DEFAULT_SCOPE, chunk())
    knowledge.upsert(session, DEFAULT_SCOPE, chunk())
    assert session.query(KnowledgeChunk).count() == 2


@pytest.mark.capability("C105")
def test_owners_personas_and_sources_have_chunks_of_their_own(session: Session):
    persona = Persona(name="Ada")
    session.add(persona)
    session.flush()
    for _ in range(2):
        knowledge.upsert(session, DEFAULT_SCOPE, chunk(external_id="a"))
        knowledge.upsert(session, DEFAULT_SCOPE, chunk(external_id="a", source="other"))
        knowledge.upsert(session, DEFAULT_SCOPE, chunk(external_id="a"), persona_id=persona.id)
        knowledge.upsert(session, OTHER, chunk(external_id="a"))
    assert session.query(KnowledgeChunk).count() == 4


@pytest.mark.capability("C105")
@pytest.mark.usefixtures("database_url")
def test_ten_at_once_write_one_row():
    def write(number: int) -> object:
        with get_session() as session:
            return knowledge.upsert(session, DEFAULT_SCOPE, chunk(f"text {number}", external_id="a")).id

    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(write, range(10)))
    with get_session() as session:
        assert [stored.id for stored in session.query(KnowledgeChunk)] == list(ids)


@pytest.mark.capability("C105")
@pytest.mark.usefixtures("database_url")
def test_many_in_opposite_orders_at_once_do_not_lock_one_another_out():
    def write(backwards: bool) -> int:
        chunks = [chunk(str(number), external_id=f"{number:03}") for number in range(200)]
        with get_session() as session:
            return len(knowledge.bulk_upsert(session, DEFAULT_SCOPE, chunks[::-1] if backwards else chunks))

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(write, [False, True] * 5)) == [200] * 10
    with get_session() as session:
        assert session.query(KnowledgeChunk).count() == 200


@pytest.mark.capability("C106")
def test_a_thousand_chunks_are_one_statement(session: Session, statements: list[str]):
    chunks = [chunk(f"text {number}", external_id=str(number), title=f"Title {number}") for number in range(1000)]
    for _ in range(2):
        statements.clear()
        stored = knowledge.bulk_upsert(session, DEFAULT_SCOPE, chunks)
        assert len(statements) == 1
        assert [row.external_id for row in stored] == [str(number) for number in range(1000)]
    assert session.query(KnowledgeChunk).count() == 1000


@pytest.mark.capability("C106")
def test_more_than_a_thousand_are_a_statement_per_thousand(session: Session, statements: list[str]):
    stored = knowledge.bulk_upsert(session, DEFAULT_SCOPE, [chunk(str(number)) for number in range(1001)])
    assert len(statements) == 2
    assert [row.content for row in stored] == [str(number) for number in range(1001)]


@pytest.mark.capability("C106")
def test_the_last_of_several_with_one_identity_wins_and_each_is_answered(session: Session):
    chunks = [chunk("one", external_id="a", title="Title"), chunk("free"), chunk("two", external_id="a")]
    first, free, second = knowledge.bulk_upsert(session, DEFAULT_SCOPE, chunks)
    assert first is second
    assert (second.content, second.title, free.content) == ("two", "Title", "free")


def test_nothing_to_write_is_no_statement(session: Session, statements: list[str]):
    assert knowledge.bulk_upsert(session, DEFAULT_SCOPE, []) == []
    assert statements == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"content": "text"}, "a knowledge chunk needs source", id="no source"),
        pytest.param({"source": None, "content": None}, "a knowledge chunk needs source and content", id="nothing"),
        pytest.param(chunk(owner_id="other"), "a knowledge chunk has no owner_id", id="somebody else's"),
    ],
)
def test_a_chunk_that_cannot_be_stored_says_why(session: Session, given: dict[str, object], said: str):
    with pytest.raises(Invalid, match=said):
        knowledge.bulk_upsert(session, DEFAULT_SCOPE, [given])


def test_words_are_found_without_their_diacritics_and_in_any_case(session: Session):
    knowledge.upsert(session, DEFAULT_SCOPE, chunk("Luceafărul și Șoimul", title="Poeţi"))
    assert matching(session, "luceafarul soimul poeti") == ["Luceafărul și Șoimul"]


def test_a_chunk_is_indexed_in_its_language(session: Session):
    stored = knowledge.upsert(session, DEFAULT_SCOPE, chunk("running dogs", title="Cats", language="english"))
    vector = session.scalar(select(KnowledgeChunk.tsv).where(KnowledgeChunk.id == stored.id))
    assert vector == "'cat':2A 'cats':1A 'dog' 'dogs' 'run' 'running'"


def test_a_chunk_changed_as_an_object_is_found_by_its_new_words(session: Session):
    stored = KnowledgeChunk(source="docs", content="old")
    session.add(stored)
    session.flush()
    stored.content = "new"
    session.flush()
    stored.page = 3
    session.flush()
    assert (matching(session, "old"), matching(session, "new")) == ([], ["new"])
    assert stored.content_hash == content_hash("new")


def test_chunks_are_listed_oldest_first_and_by_source(session: Session):
    first = knowledge.upsert(session, DEFAULT_SCOPE, chunk())
    second = knowledge.upsert(session, DEFAULT_SCOPE, chunk(source="readme", external_id="a"))
    assert knowledge.list_(session, DEFAULT_SCOPE) == [first, second]
    assert knowledge.list_(session, DEFAULT_SCOPE, source="readme") == [second]
    assert knowledge.find_by_external_id(session, DEFAULT_SCOPE, "a") is second
    assert knowledge.find_by_external_id(session, DEFAULT_SCOPE, "a", source="docs") is None


def test_another_owner_finds_and_deletes_nothing(session: Session):
    stored = knowledge.upsert(session, DEFAULT_SCOPE, chunk(external_id="a"))
    assert knowledge.get(session, DEFAULT_SCOPE, stored.id) is stored
    assert knowledge.find(session, OTHER, stored.id) is None
    assert knowledge.find_by_external_id(session, OTHER, "a") is None
    assert knowledge.list_(session, OTHER) == []
    assert knowledge.delete_(session, OTHER, stored.id) is False
    assert knowledge.delete_(session, DEFAULT_SCOPE, stored.id) is True
