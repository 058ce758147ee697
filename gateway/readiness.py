"""Is everything there that this needs? Asked of all at once, answered in time even by what hangs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import httpx
import redis
from flask import Flask
from sqlalchemy import NullPool, create_engine, text

from shared.settings import Settings

PATIENCE = 1.5  # seconds for all checks together
SOCKET_PATIENCE = 1.0

Check = Callable[[Settings], None]


class Health(NamedTuple):
    """What is down: of what nothing works without, and of what only some things need."""

    down: dict[str, str]
    degraded: dict[str, str]


def check_postgres(settings: Settings) -> None:
    """Raise unless a new connection finds a migrated database."""
    engine = create_engine(settings.require_database_url(), poolclass=NullPool, connect_args={"connect_timeout": 2})
    with engine.connect() as connection:
        connection.execute(text("SELECT version_num FROM alembic_version")).one()


def check_broker(settings: Settings) -> None:
    """Raise unless the broker answers."""
    url = settings.require_redis_url()
    with redis.Redis.from_url(url, socket_timeout=SOCKET_PATIENCE, socket_connect_timeout=SOCKET_PATIENCE) as client:
        client.ping()


def check_embedding(settings: Settings) -> None:
    """Raise unless the model server lists its models."""
    key = settings.embedding_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    url = settings.embedding_url or settings.model_url
    httpx.get(f"{url}/models", timeout=SOCKET_PATIENCE, headers=headers).raise_for_status()


NEEDED: dict[str, Check] = {"postgres": check_postgres, "broker": check_broker}
USEFUL: dict[str, Check] = {"embedding": check_embedding}


class Readiness:
    """Checks that never pile up: one that still hangs from an earlier question is not asked again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.checks = NEEDED | USEFUL
        self.running: dict[str, Future[None]] = {}
        self.pool = ThreadPoolExecutor(len(self.checks), thread_name_prefix="readiness")

    def ask(self) -> Health:
        """Ask everything at once; takes at most PATIENCE seconds for each that hangs, all together."""
        for name, check in self.checks.items():
            if name not in self.running or self.running[name].done():
                self.running[name] = self.pool.submit(check, self.settings)
        wait(self.running.values(), timeout=PATIENCE)
        found = {name: fault for name in self.checks if (fault := fault_of(self.running[name]))}
        return Health(
            down={name: fault for name, fault in found.items() if name in NEEDED},
            degraded={name: fault for name, fault in found.items() if name in USEFUL},
        )


def install(app: Flask, settings: Settings) -> None:
    """Keep this app's checks beside it."""
    app.extensions["readiness"] = Readiness(settings)


def fault_of(check: Future[None]) -> str | None:
    """Say what is wrong, by the kind of error only: its text may hold an address or a password."""
    if not check.done():
        return "no answer in time"
    error = check.exception()
    return type(error).__name__ if error else None
