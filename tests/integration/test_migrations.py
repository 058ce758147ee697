"""The one history of the schema: it makes what the models say, and can be gone back."""

from collections.abc import Callable, Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from shared.models import Base
from tests.conftest import ROOT

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
           pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"


@pytest.fixture
def empty_engine(empty_database: Callable[[], str]) -> Iterator[Engine]:
    engine = create_engine(empty_database())
    yield engine
    engine.dispose()


def configuration(connection: Connection) -> Config:
    made = Config(ROOT / "alembic.ini", attributes={"connection": connection})
    made.set_main_option("script_location", str(ROOT / "migrations"))
    return made


def schema_of(connection: Connection) -> set[tuple[object, ...]]:
    found = {
        (query, *row) for query in (COLUMNS, CONSTRAINTS, INDEXES) for row in connection.execute(text(query)).all()
    }
    return {row for row in found if row[1] != "alembic_version"}


@pytest.mark.capability("C1")
def test_upgrade_creates_every_table_from_nothing(empty_engine: Engine):
    with empty_engine.connect() as connection:
        command.upgrade(configuration(connection), "head")
        assert set(inspect(connection).get_table_names()) == set(Base.metadata.tables) | {"alembic_version"}


def test_a_connection_that_migrated_waits_for_locks_as_long_as_before(empty_engine: Engine):
    with empty_engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '7s'"))
        connection.commit()
        command.upgrade(configuration(connection), "head")
        assert connection.scalar(text("SHOW lock_timeout")) == "7s"


@pytest.mark.capability("C1")
def test_downgrade_leaves_nothing_and_upgrade_brings_all_back(empty_engine: Engine):
    with empty_engine.connect() as connection:
        command.upgrade(configuration(connection), "head")
        before = schema_of(connection)
        command.downgrade(configuration(connection), "base")
        left = schema_of(connection)
        command.upgrade(configuration(connection), "head")
        assert left == set()
        assert schema_of(connection) == before


@pytest.mark.capability("C1")
def test_every_revision_can_be_gone_back_by_one_step(empty_engine: Engine):
    with empty_engine.connect() as connection:
        revisions = list(ScriptDirectory.from_config(configuration(connection)).walk_revisions())
        for revision in reversed(revisions):
            command.upgrade(configuration(connection), revision.revision)
            before = schema_of(connection)
            command.downgrade(configuration(connection), "-1")
            command.upgrade(configuration(connection), "+1")
            assert schema_of(connection) == before


@pytest.mark.capability("C1")
def test_autogenerate_finds_nothing_to_do(shared_engine: Engine):
    with shared_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_exactly_the_columns_constraints_and_indexes_of_the_models(
    empty_engine: Engine, shared_engine: Engine
):
    """Autogenerate compares no CHECK, no identity and no partial index."""
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION vector"))
        Base.metadata.create_all(connection)
        modelled = schema_of(connection)
    with shared_engine.connect() as connection:
        assert schema_of(connection) == modelled


def test_there_is_one_head_and_revisions_are_numbered(shared_engine: Engine):
    with shared_engine.connect() as connection:
        script = ScriptDirectory.from_config(configuration(connection))
    numbers = sorted(revision.revision for revision in script.walk_revisions())
    assert len(script.get_heads()) == 1
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.capability("C1")
def test_runs_of_modules_get_their_owner_and_those_without_a_module_go_with_their_columns(empty_engine: Engine):
    with empty_engine.connect() as connection:
        command.upgrade(configuration(connection), "0003")
        connection.execute(text("INSERT INTO modules (name, owner_id) VALUES ('clock', 'ana')"))
        connection.execute(text("INSERT INTO module_executions (module_id) SELECT id FROM modules"))
        command.upgrade(configuration(connection), "0004")
        runs = text("SELECT owner_id, purpose FROM module_executions")
        assert connection.execute(runs).all() == [("ana", "run")]
        connection.execute(text("INSERT INTO module_executions (purpose) VALUES ('test')"))
        command.downgrade(configuration(connection), "0003")
        assert connection.scalar(text("SELECT count(*) FROM module_executions")) == 1


def test_runs_that_are_as_the_defaults_say_are_not_rewritten(empty_engine: Engine):
    with empty_engine.connect() as connection:
        command.upgrade(configuration(connection), "0003")
        connection.execute(text("SET session_replication_role = replica"))  # no turn needs to be there
        connection.execute(text("INSERT INTO modules (name, owner_id) VALUES ('clock', 'default'), ('mood', 'ana')"))
        connection.execute(text("INSERT INTO module_executions (turn_id, module_id) SELECT 1, id FROM modules"))
        rows = text("SELECT name, e.ctid::text FROM module_executions e JOIN modules ON modules.id = module_id")
        before = set(connection.execute(rows).all())
        command.upgrade(configuration(connection), "0004")
        assert {name for name, _ in before - set(connection.execute(rows).all())} == {"mood"}
        assert connection.execute(text("SELECT owner_id, purpose FROM module_executions ORDER BY 1")).all() == [
            ("ana", "stage"),
            ("default", "stage"),
        ]


@pytest.mark.capability("C1")
def test_passages_that_are_there_are_found_by_the_words_of_now_and_keep_their_vectors(empty_engine: Engine):
    with empty_engine.connect() as connection:
        command.upgrade(configuration(connection), "0004")
        connection.execute(text("INSERT INTO embedding_models (name, dimensions) VALUES ('m', 1)"))
        connection.execute(text("INSERT INTO embeddings (content_hash, model, vector) VALUES ('old', 'm', '[1]')"))
        insert = text(
            "INSERT INTO knowledge_chunks (source, title, content, language, content_hash, tsv) "
            "VALUES ('s', :title, :content, CAST(:language AS regconfig), 'old', '')"
        )
        connection.execute(insert, {"title": None, "content": "ERR-4711 sea\u00admanship", "language": "simple"})
        connection.execute(insert, {"title": "Dogs", "content": "running", "language": "english"})
        command.upgrade(configuration(connection), "0005")
        words = text("SELECT tsv::text FROM knowledge_chunks ORDER BY content")
        assert connection.scalars(words).all() == [
            "'4711' 'err' 'err-4711' 'err4711' 'seamanship'",
            "'dog':2A 'dogs':1A 'run' 'running'",
        ]
        joined = text("SELECT count(*) FROM knowledge_chunks JOIN embeddings USING (content_hash)")
        assert connection.scalar(joined) == 2
        command.downgrade(configuration(connection), "0004")
        assert connection.scalars(words).all() == ["'-4711':2 'err':1 'seamanship':3", "'dog':1A 'run':2"]
