"""Migrations of databases that people have worked with: what was there stays, and can be taken back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from gateway import create_app
from shared.db import get_engine, get_session
from shared.domain.access import Permission
from shared.domain.stages import Purpose
from shared.domain.text import content_hash
from shared.models import ModuleExecution
from shared.queries.accounts import keys
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.work import engine, watch, workers
from shared.settings import get_settings
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.contract import Tenant
from tests.integration.test_migrations import configuration

Rows = dict[str, dict[tuple[Any, ...], dict[str, Any]]]  # of each table, by their keys
# What going back by a revision changes in rows that stay, or takes with it.
LOST = {"0004": {"module_executions": 1}, "0003": {"conversation_memories": 1}}
REWRITTEN = {"0005": {"knowledge_chunks": {"tsv"}}}
OLDEST = "0002"
NEW_TABLES = {
    "0006": ("fetches", "(url, ready_at) VALUES ('https://example.org/', clock_timestamp())"),
    "0007": ("passage_embeddings", "(hashes, ready_at) VALUES (ARRAY['a'], clock_timestamp())"),
    "0008": ("sweepwatch", "VALUES (1, clock_timestamp(), clock_timestamp())"),
}
MANY = 2300  # passages: more than two batches of 0005
TURN = """
    INSERT INTO turns (conversation_id, status, fence, ready_at)
    SELECT id, 'PENDING', 3, clock_timestamp() FROM conversations"""
WINDOWS = """
    INSERT INTO memory_windows (conversation_id, sequence, first_position, last_position, status)
    SELECT id, number, 20 * number - 19, 20 * number, 'COMPLETED' FROM conversations, generate_series(1, 2) number"""
MEMORIES = """
    INSERT INTO conversation_memories (conversation_id, memory_sequence, compressed_content, original_message_range,
        message_count_at_compression, window_id)
    SELECT conversation_id, sequence, 'They spoke.', '1-20', 20, id FROM memory_windows"""
HEAD = """
    INSERT INTO conversation_memories (conversation_id, memory_sequence, is_head, compressed_content,
        original_message_range, message_count_at_compression)
    SELECT id, 0, true, 'In all.', '1-40', 40 FROM conversations"""
PASSAGES = """
    INSERT INTO knowledge_chunks (source, title, content, language, content_hash, tsv)
    SELECT 's', CASE WHEN number % 2 = 0 THEN 'Title ' || number END, 'Bell num\u00adber ' || number,
        CASE WHEN number % 3 = 0 THEN 'english' ELSE 'simple' END::regconfig, 'old ' || number, ''
    FROM generate_series(1, :many) number"""

VECTORS = "INSERT INTO embeddings (content_hash, model, vector) SELECT content_hash, 'm', '[1]' FROM knowledge_chunks"


def snapshot(connection: Connection) -> Rows:
    """Read every row of every table."""
    inspector = inspect(connection)
    tables = [table for table in inspector.get_table_names() if table != "alembic_version"]
    return {table: rows_of(connection, inspector, table) for table in tables}


def rows_of(connection: Connection, inspector: Any, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    key = inspector.get_pk_constraint(table)["constrained_columns"]
    rows = connection.scalars(text(f'SELECT to_jsonb(each) FROM "{table}" each'))
    return {tuple(row[name] for name in key): row for row in rows}


def lost(before: Rows, after: Rows) -> dict[str, int]:
    """Count the rows that are gone from tables that are still there."""
    gone = {table: len(before[table].keys() - after[table].keys()) for table in before.keys() & after.keys()}
    return {table: count for table, count in gone.items() if count}


def rewritten(before: Rows, after: Rows) -> dict[str, set[str]]:
    """Name the columns that have other values than before, of rows that are still there."""
    found = {table: set().union(*differing(before[table], after[table])) for table in before.keys() & after.keys()}
    return {table: columns for table, columns in found.items() if columns}


def differing(before: dict[Any, dict[str, Any]], after: dict[Any, dict[str, Any]]) -> Iterator[set[str]]:
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        yield {name for name in old.keys() & new.keys() if old[name] != new[name]}


def before_(revision: str) -> str:
    return f"{int(revision) - 1:04}"


def up(connection: Connection, revision: str) -> Rows:
    command.upgrade(configuration(connection), revision)
    return snapshot(connection)


def down(connection: Connection, revision: str) -> Rows:
    command.downgrade(configuration(connection), revision)
    return snapshot(connection)


@pytest.fixture
def used(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A database of now in which everything has been made through the gateway, and done by workers."""
    monkeypatch.setenv("PERSONAE_REDIS_URL", "redis://127.0.0.1:1/0")  # nobody's
    get_settings.cache_clear()
    with get_session() as session:
        key = keys.add(session, DEFAULT_SCOPE, name="all", scopes=list(Permission)).key
        workers.check_in(session, "w:1:", queues='["dialogue"]', claimed=True, slots=4, stuck=1)
        watch.note(session, gap=10.0)
        session.add(ModuleExecution(purpose=Purpose.TEST))  # of a script that is not saved
    Tenant(client_with(create_app(settings_for_tests(data_dir=tmp_path)), key), mark="mine").make_everything()
    with get_engine().connect() as connection:
        yield connection


@pytest.fixture
def old(empty_database: Callable[[], str]) -> Iterator[Connection]:
    """An empty database, to begin with an older revision."""
    engine = create_engine(empty_database())
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.capability("C1")
def test_a_used_database_can_be_taken_back_and_brought_up_again_by_each_revision(used: Connection) -> None:
    revisions = [each.revision for each in ScriptDirectory.from_config(configuration(used)).walk_revisions()]
    steps = [revision for revision in revisions if revision > OLDEST]
    after = snapshot(used)
    filled = {table for table, rows in after.items() if rows}
    assert {"turns", "runstep", "fetches", "passage_embeddings", "conversation_memories", "workercheckin"} <= filled
    for revision in steps:
        before, after = after, down(used, before_(revision))
        assert (revision, lost(before, after)) == (revision, LOST.get(revision, {}))
        assert (revision, rewritten(before, after)) == (revision, REWRITTEN.get(revision, {}))
    for revision in reversed(steps):
        before, after = after, up(used, revision)
        assert (revision, lost(before, after)) == (revision, {})
        assert (revision, rewritten(before, after)) == (revision, REWRITTEN.get(revision, {}))


def converse(connection: Connection, revision: str) -> None:
    """Begin at a revision with two conversations."""
    up(connection, revision)
    connection.execute(text("INSERT INTO conversations (title) VALUES ('One'), ('Two')"))


def test_memories_of_before_are_no_heads_and_heads_go_with_their_revision(old: Connection) -> None:
    converse(old, "0002")
    old.execute(text(WINDOWS))
    old.execute(text(MEMORIES))
    old.commit()
    before, after = snapshot(old), up(old, "0003")
    assert (lost(before, after), rewritten(before, after)) == ({}, {})
    memories = after["conversation_memories"].values()
    assert {(row["is_head"], row["is_stale"], row["model"]) for row in memories} == {(False, False, None)}
    assert {row["message_range"] for row in after["memory_windows"].values()} == {""}
    old.execute(text(HEAD))
    back = down(old, "0002")
    assert (lost(before, back), rewritten(before, back)) == ({}, {})
    assert len(back["conversation_memories"]) == len(before["conversation_memories"]) == 4


def test_all_of_many_passages_get_their_words_and_keep_their_vectors(old: Connection) -> None:
    up(old, "0004")
    old.execute(text(PASSAGES), {"many": MANY})
    old.execute(text("INSERT INTO embedding_models (name, dimensions) VALUES ('m', 1)"))
    vectors = (
        "INSERT INTO embeddings (content_hash, model, vector) SELECT content_hash, 'm', '[1]' FROM knowledge_chunks"
    )
    old.execute(text(vectors))
    before, after = snapshot(old), up(old, "0005")
    assert rewritten(before, after) == {"knowledge_chunks": {"content_hash", "tsv"}}
    passages = after["knowledge_chunks"].values()
    assert {row["content_hash"] for row in passages} == {content_hash(row["content"]) for row in passages}
    assert all("'bell'" in row["tsv"] and "'number'" in row["tsv"] for row in passages)
    embedded = {hash for hash, _ in after["embeddings"]}
    assert {row["content_hash"] for row in passages} <= embedded
    again = down(old, "0004")
    assert lost(after, again) == {}
    assert rewritten(after, again) == {"knowledge_chunks": {"tsv"}}


@pytest.mark.parametrize("revision", NEW_TABLES)
def test_work_that_waits_is_untouched_by_a_new_table_which_goes_with_its_rows(old: Connection, revision: str) -> None:
    table, row = NEW_TABLES[revision]
    converse(old, before_(revision))
    old.execute(text(TURN))
    old.execute(text("INSERT INTO workercheckin (id, queues) VALUES ('w:1:', '[\"dialogue\"]')"))
    old.commit()
    before, after = snapshot(old), up(old, revision)
    assert (lost(before, after), rewritten(before, after)) == ({}, {})
    assert after[table] == {}
    old.execute(text(f"INSERT INTO {table} {row}"))
    back = down(old, before_(revision))
    assert table not in back
    assert (lost(before, back), rewritten(before, back)) == ({}, {})
    assert up(old, revision)[table] == {}


def test_workers_of_before_have_one_slot_that_is_not_stuck(old: Connection) -> None:
    up(old, "0007")
    old.execute(text("INSERT INTO workercheckin (id) VALUES ('w:1:')"))
    (worker,) = up(old, "0008")["workercheckin"].values()
    assert (worker["slots"], worker["stuck"]) == (1, 0)


def test_rows_of_before_need_the_first_version_and_none_is_written_anew(old: Connection) -> None:
    converse(old, "0008")
    old.execute(text(TURN))
    old.execute(text("INSERT INTO workercheckin (id) VALUES ('w:1:')"))
    places = text("SELECT pg_relation_filenode('turns'), array_agg(ctid::text ORDER BY id) FROM turns")
    before, where = snapshot(old), old.execute(places).one()
    after = up(old, "0009")
    assert (lost(before, after), rewritten(before, after)) == ({}, {})
    assert old.execute(places).one() == where
    assert {row["needs_version"] for row in after["turns"].values()} == {1}
    assert {row["version"] for row in after["workercheckin"].values()} == {1}
    assert {model.__tablename__ for model in engine.models()} == {
        table for table in after if "needs_version" in columns(old, table)
    }
    old.execute(text("UPDATE turns SET needs_version = 2"))
    back = down(old, "0008")
    assert (lost(before, back), rewritten(before, back)) == ({}, {})


def columns(connection: Connection, table: str) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns(table)}
