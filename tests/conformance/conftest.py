"""What the examples take for granted: a database, a session called `db`, and a few rows."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from shared import db as database
from shared.settings import get_settings


@pytest.fixture
def db(session: Session) -> Session:
    """The session, as seed 001 calls it."""
    return session


@pytest.fixture
def db_session(session: Session) -> Session:
    """The session, as seed 001's tests call it."""
    return session


@pytest.fixture
def empty_database_url(empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without a table, named in the settings."""
    url = empty_database()
    monkeypatch.setenv("PERSONAE_DATABASE_URL", url)
    get_settings.cache_clear()
    database.close_engine()
    yield url
    database.close_engine()
    get_settings.cache_clear()
