"""Servers of the run's own, on free ports; a migrated template database, cloned or rolled back per test."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, text

from deploy.local.data import ports, servers
from shared import db
from shared.queries import kinds  # noqa: F401  what follows the end of each kind of work
from shared.settings import get_settings
from tests.processes import until

ROOT = Path(__file__).parents[1]
PASSWORD = "test"
TEMPLATE = "personae_template"

# How fast the machine makes examples is not what a test is about.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

for name in [name for name in os.environ if name.startswith(("PERSONAE_", "DB_", "DATABASE_URL", "REDIS_URL"))]:
    del os.environ[name]  # nothing is taken from the machine


@pytest.fixture(scope="session")
def postgres_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Postgres of this run's own; yields its port."""
    folder = tmp_path_factory.mktemp("postgres")
    servers.initialise_postgres(folder / "data", PASSWORD)
    port = ports.free_port()
    with (folder / "log").open("wb") as log:
        server = servers.start_postgres(folder / "data", port, log, "fsync=off", "max_connections=300")
        yield port
        server.send_signal(signal.SIGINT)
        server.wait(10)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this run's own; yields its URL."""
    folder = tmp_path_factory.mktemp("valkey")
    port = ports.free_port()
    with (folder / "log").open("wb") as log:
        server = servers.start_valkey(servers.write_valkey_configuration(folder, port, PASSWORD), log)
        url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        wait_for_broker(url)
        yield url
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def wait_for_broker(url: str) -> None:
    """Return once the broker answers."""
    with redis.Redis.from_url(url) as client:
        until(lambda: _answers(client), 10)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def url_of(port: int, database: str) -> str:
    """Return the SQLAlchemy URL of a database on the run's own Postgres."""
    return f"postgresql+psycopg2://personae:{PASSWORD}@127.0.0.1:{port}/{database}"


@pytest.fixture(scope="session")
def template_database(postgres_port: int) -> str:
    """A database at the newest migration, to clone from."""
    with _administrator(postgres_port) as connection:
        connection.execute(text(f"CREATE DATABASE {TEMPLATE}"))
    engine = create_engine(url_of(postgres_port, TEMPLATE))
    with engine.connect() as connection:
        configuration = Config(ROOT / "alembic.ini", attributes={"connection": connection})
        configuration.set_main_option("script_location", str(ROOT / "migrations"))
        command.upgrade(configuration, "head")
    engine.dispose()
    return TEMPLATE


def _administrator(port: int):
    return create_engine(url_of(port, "postgres"), isolation_level="AUTOCOMMIT").connect()


@pytest.fixture
def new_database(postgres_port: int, template_database: str) -> Iterator[Callable[[], str]]:
    """Make databases with real commits, each a clone of the template; yields a function that returns a URL."""
    yield from _databases(postgres_port, template_database)


@pytest.fixture(scope="module")
def module_database(postgres_port: int, template_database: str) -> Iterator[str]:
    """One cloned database for a module's tests and the processes that they share; yields its URL."""
    with contextmanager(_databases)(postgres_port, template_database) as clone:
        yield clone()


@pytest.fixture
def empty_database(postgres_port: int) -> Iterator[Callable[[], str]]:
    """Make databases without a table; yields a function that returns a URL."""
    yield from _databases(postgres_port, "template0")


def _databases(port: int, template: str) -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def clone() -> str:
        name = f"test_{uuid4().hex[:12]}"
        with _administrator(port) as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        made.append(name)
        return url_of(port, name)

    yield clone
    db.close_engine()
    with _administrator(port) as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def database_url(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One cloned database, named in the settings: for tests that commit, or that start processes."""
    url = new_database()
    monkeypatch.setenv("PERSONAE_DATABASE_URL", url)
    get_settings.cache_clear()
    db.close_engine()
    yield url
    db.close_engine()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def shared_engine(postgres_port: int, template_database: str) -> Iterator[Engine]:
    """An engine on a database that every rolled-back test shares."""
    with _administrator(postgres_port) as connection:
        connection.execute(text(f"CREATE DATABASE personae_shared TEMPLATE {template_database}"))
    engine = create_engine(url_of(postgres_port, "personae_shared"), connect_args=db.CONNECT_ARGS)
    yield engine
    engine.dispose()


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[db.Session]:
    """A session whose every commit, in any layer, is undone after the test."""
    with shared_engine.connect() as connection:
        transaction = connection.begin()
        db.session_factory.configure(bind=connection, join_transaction_mode="create_savepoint")
        with db.session_factory() as session:
            yield session
        db.session_factory.configure(bind=None, join_transaction_mode="conditional_savepoint")
        transaction.rollback()
