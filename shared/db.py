"""The one engine per process, and the one place that commits."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from pydantic import SecretStr
from sqlalchemy import Engine, Executable, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session as SqlalchemySession
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from shared.settings import Settings, get_settings

CONNECT_ARGS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "personae",
    "options": "-c timezone=UTC -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
}
REST_SECONDS = 2.0


class Session(SqlalchemySession):
    """SQLAlchemy's session, with seed 004's `exec`."""

    def exec(self, statement: Executable) -> Any:
        """Execute, and return scalars where the statement selects one thing."""
        result = self.execute(statement)
        descriptions = getattr(statement, "column_descriptions", [])
        return result.scalars() if len(descriptions) == 1 else result


PASSING_CLASSES = frozenset({"08", "40", "53", "57"})
LOCK_NOT_AVAILABLE = "55P03"
WAKES = "wakes"  # in a session's `info`: the queues to ring for after its commit, and for what
session_factory = sessionmaker(class_=Session, expire_on_commit=False)
_statement_seconds = 0.0
_engines: dict[int, Engine] = {}
_reserved: dict[int, Engine] = {}
_ring: list[Callable[[Mapping[str, str]], object]] = []


def new_engine(url: str | None = None, *, size: int | None = None) -> Engine:
    """Make an engine on the settings' database, or on the one a URL names; of exactly `size` connections if given."""
    settings = get_settings() if url is None else Settings(database_url=SecretStr(url))
    engine = create_engine(
        settings.require_database_url(),
        echo=settings.db_echo,
        pool_size=size or settings.db_pool_size,
        max_overflow=0 if size else settings.db_max_overflow,
        pool_timeout=10,
        executemany_mode="values_plus_batch",  # many updates in one round trip
        connect_args={**CONNECT_ARGS, "options": f"{CONNECT_ARGS['options']} {_statement_limit()}"},
    )
    event.listen(engine, "checkin", _note_checkin)
    event.listen(engine, "checkout", _ping_after_rest)
    return engine


def limit_statements(seconds: float) -> None:
    """Have Postgres end what takes longer on engines that this process makes from now on; 0 is no limit."""
    global _statement_seconds
    _statement_seconds = seconds


def _statement_limit() -> str:
    return f"-c statement_timeout={round(_statement_seconds * 1000)}"


def _note_checkin(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = time.monotonic()


def _ping_after_rest(connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    """Find out whether a connection that rested still lives; a ping at each checkout would cost a third of a claim."""
    if time.monotonic() - record.info.get("rests_since", time.monotonic()) < REST_SECONDS:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error as error:
        raise DisconnectionError("the connection ended while it rested") from error


def get_engine() -> Engine:
    """Return this process's engine: after a fork the parent's sockets are not ours."""
    pid = os.getpid()
    # Of two threads that ask first at once both get one of the two: an engine that nobody uses has no connections.
    return _engines.get(pid) or _engines.setdefault(pid, new_engine())


def _reserved_engine() -> Engine:
    pid = os.getpid()
    return _reserved.get(pid) or _reserved.setdefault(pid, new_engine(size=1))


def use_database(url: str | None = None) -> Engine:
    """Close this process's connections and open others, to the settings' database or to the one a URL names."""
    close_engine()
    return _engines.setdefault(os.getpid(), new_engine(url))


def close_engine() -> None:
    """Close this process's connections; the next session opens new ones."""
    for engines in (_engines, _reserved):
        engine = engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()


def wake(session: SqlalchemySession, queue: str, about: str) -> None:
    """Have a worker of the queue look for work when this transaction has committed; `about` says for what."""
    session.info.setdefault(WAKES, {}).setdefault(queue, about)


def ring_after_commits(ring: Callable[[Mapping[str, str]], object]) -> None:
    """Have `ring` called after each commit, with the queues that `wake` named in it and what for; it must not raise."""
    _ring.append(ring)


def will_pass(error: BaseException) -> bool:
    """Say whether the database may answer differently soon, by the error's SQLSTATE class.

    Passing: connection (08), transaction rollback (40), resources (53), lock not available, operator intervention (57),
    and no free connection in our own pool.
    """
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "pgcode", None)
    if state is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    return state[:2] in PASSING_CLASSES or state == LOCK_NOT_AVAILABLE


@contextmanager
def get_session() -> Iterator[Session]:
    """Commit on success, roll back on error. Nothing else in our code commits."""
    with _committing(get_engine) as session:
        yield session


@contextmanager
def get_reserved_session() -> Iterator[Session]:
    """Do as `get_session`, on the one connection that no work waits for."""
    with _committing(_reserved_engine) as session:
        yield session


@contextmanager
def try_lock(kind: int, number: int) -> Iterator[bool]:
    """Hold a lock that all processes share, outside any transaction; False, at once, when another holds it."""
    key = {"kind": kind, "number": number}
    with get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:kind, :number)"), key))
        try:
            yield taken
        finally:
            if taken:
                with suppress(DBAPIError):  # a connection that broke has unlocked
                    connection.execute(text("SELECT pg_advisory_unlock(:kind, :number)"), key)


@contextmanager
def _committing(engine: Callable[[], Engine]) -> Iterator[Session]:
    bind = session_factory.kw.get("bind") or engine()
    with session_factory(bind=bind) as session:
        yield session
        session.commit()
        wakes = session.info.pop(WAKES, {})
    for ring in _ring:  # when the connection is back in the pool
        ring(wakes)
