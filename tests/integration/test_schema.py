"""Making and dropping the tables from Python."""

from collections.abc import Callable

import pytest
from sqlalchemy import inspect

from shared.api.minipilot import create_database_engine, drop_db, get_database_url, get_engine, init_db, reset_db
from shared.db import get_session
from shared.errors import Refused
from shared.models import User
from shared.settings import get_settings


def test_all_data_is_dropped_only_where_the_operator_allows_it(database_url: str):
    with get_session() as session:
        session.add(User(name="Ada"))
    with pytest.raises(Refused):
        reset_db()
    with get_session() as session:
        assert session.query(User).count() == 1


def test_a_reset_leaves_empty_tables_and_a_drop_leaves_none(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PERSONAE_ALLOW_DROP", "true")
    get_settings.cache_clear()
    with get_session() as session:
        session.add(User(name="Ada"))
    reset_db()
    with get_session() as session:
        assert session.query(User).count() == 0
    drop_db()
    assert inspect(get_engine()).get_table_names() == ["alembic_version"]
    assert "users" in init_db()


def test_an_engine_of_its_own_reaches_another_database(database_url: str, new_database: Callable[[], str]):
    bare = new_database().replace("postgresql+psycopg2://", "postgresql://")
    engine = create_database_engine(bare)
    with engine.connect() as connection:
        assert inspect(connection).has_table("users")
    engine.dispose()
    assert get_database_url() == database_url
