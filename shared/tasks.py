"""The catalogue: every queue, every task, and the bell that says there is work."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import redis
from celery import Celery
from kombu import Queue as KombuQueue
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import event
from sqlalchemy.orm import Session as SqlalchemySession

from shared.db import Session, ring_after_commits, wake
from shared.domain import queues
from shared.models.base import Work
from shared.settings import get_settings

log = logging.getLogger(__name__)

Pool = Literal["threads", "prefork", "solo"]
RING_TIMEOUT = 0.1
RING_BOUND = 0.3
SWEEP = "sweep"


class Queue(NamedTuple):
    """Work of one worker service; up to `batch` rows are claimed and settled together."""

    name: str
    pool: Pool
    batch: int = 1


DIALOGUE = Queue(queues.DIALOGUE, "threads")
MODULES = Queue(queues.MODULES, "threads")
MEMORY = Queue(queues.MEMORY, "threads")
INGESTION = Queue(queues.INGESTION, "prefork", batch=4)
EMBEDDING = Queue(queues.EMBEDDING, "threads", batch=8)
SYNTHESIS = Queue(queues.SYNTHESIS, "threads")
UPKEEP = Queue(queues.UPKEEP, "solo")
QUEUES = (DIALOGUE, MODULES, MEMORY, INGESTION, EMBEDDING, SYNTHESIS, UPKEEP)


def answers(queue: str) -> str:
    """Return the name of the Celery task that answers the queue's bells."""
    return f"work.{queue}"


@cache
def celery_app() -> Celery:
    """Return the process's Celery app: early ack, no results, no retries, no prefetch, queues from the catalogue."""
    settings = get_settings()
    app = Celery("personae", broker=settings.require_redis_url(), set_as_current=False)
    app.conf.update(
        task_queues=[KombuQueue(queue.name) for queue in QUEUES],
        task_default_queue=UPKEEP.name,
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_acks_late=False,
        task_track_started=False,
        task_send_sent_event=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_connect_timeout": 1, "socket_timeout": 5, "health_check_interval": 5},
        beat_schedule={
            SWEEP: {
                "task": SWEEP,
                "schedule": settings.sweep_seconds,
                "options": {"queue": UPKEEP.name, "expires": settings.sweep_seconds},
            }
        },
    )
    return app


class Bell:
    """Rings on connections of its own with short timeouts; after a failure it stays silent for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent_until = 0.0
        self._parts: tuple[Any, Any, redis.Redis] | None = None
        os.register_at_fork(after_in_child=self._forget)

    def ring(self, queue: str, label: str = "", count: int = 1) -> int:
        """Ask for up to `count` workers on the queue, within its cap; return the bells rung.

        Never raises for a broker that is down and never blocks over 0.3 s; a process without one leaves it to sweeps.
        """
        if get_settings().redis_url is None:
            return 0
        if time.monotonic() < self._silent_until or not self._lock.acquire(timeout=RING_TIMEOUT):
            return 0
        try:
            return self._ring(queue, label, count)
        except (OSError, redis.RedisError, KombuError) as error:
            self._silent_until = time.monotonic() + get_settings().breaker_seconds
            self._drop()
            log.warning("bell failed", extra={"queue": queue, "reason": type(error).__name__})
            return 0
        finally:
            self._lock.release()

    def ring_all(self, wakes: Mapping[str, str]) -> None:
        """Ring once for each queue, given with what it is for."""
        for queue, about in wakes.items():
            self.ring(queue, about)

    def _ring(self, queue: str, label: str, count: int) -> int:
        connection, producer, client = self._connect()
        deadline = time.monotonic() + RING_BOUND
        settings = get_settings()
        free = settings.bell_cap - int(client.llen(queue))
        rung = 0
        while rung < min(count, free) and time.monotonic() < deadline:
            celery_app().send_task(
                answers(queue), (label,), queue=queue, expires=settings.bell_expires, retry=False,
                producer=producer, connection=connection, argsrepr=f"({label})",
            )  # fmt: skip
            rung += 1
        return rung

    def _connect(self) -> tuple[Any, Any, redis.Redis]:
        if self._parts is None:
            app = celery_app()
            options = {"socket_connect_timeout": RING_TIMEOUT, "socket_timeout": RING_TIMEOUT, "max_retries": 0}
            connection = app.connection_for_write(transport_options=options, connect_timeout=RING_TIMEOUT)
            client = redis.Redis.from_url(
                get_settings().require_redis_url(),
                socket_timeout=RING_TIMEOUT,
                socket_connect_timeout=RING_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
            self._parts = (connection, app.amqp.Producer(connection), client)
        return self._parts

    def close(self) -> None:
        """Give up the connections and the silence; the next ring opens new ones."""
        self._silent_until = 0.0
        self._drop()

    def _drop(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None:
            with contextlib.suppress(OSError, redis.RedisError, KombuError):
                parts[0].release()
                parts[2].close()

    def _forget(self) -> None:
        self._lock, self._silent_until, self._parts = threading.Lock(), 0.0, None


BELL = Bell()

READY = "ready"  # in a session's `info`, during a flush: rows of work that it adds and that a worker may take at once


@event.listens_for(Session, "before_flush")
def _note_ready_rows(session: SqlalchemySession, *_: Any) -> None:
    session.info[READY] = [row for row in session.new if isinstance(row, Work) and row.ready_at is not None]


@event.listens_for(Session, "after_flush")
def _wake_for_ready_rows(session: SqlalchemySession, *_: Any) -> None:
    for row in session.info.pop(READY, ()):  # which have their queue and their number now, and may be expired later
        wake(session, row.queue, f"{row.__tablename__} {row.id}")


# Nobody who adds work can forget to ring.
ring_after_commits(BELL.ring_all)
