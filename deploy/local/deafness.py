"""Finds workers that run but no longer take work: a broker's restart can leave a worker's main process deaf."""

import importlib
import threading
import time
from collections.abc import Callable, Iterable

from sqlalchemy.exc import SQLAlchemyError

from deploy.local.child import Child
from deploy.local.plan import exists
from shared.db import get_session

INTERVAL = 10.0
ONCE_PER = 60.0

Ask = Callable[[], set[str]]


def ask_database() -> set[str]:
    """Return the queues with runnable rows that nobody claims; none while the database is down."""
    work = importlib.import_module("shared.queries.work")
    try:
        with get_session() as session:
            deaf: set[str] = work.deaf_queues(session)
            return deaf
    except (SQLAlchemyError, OSError):
        return set()


class DeafnessWatch:
    """Asks every 10 s, in a thread: the database may be down, or frozen, and the supervisor must go on."""

    def __init__(self, ask: Ask = ask_database, interval: float = INTERVAL) -> None:
        self._ask = ask
        self._interval = interval
        self._queues: set[str] = set()
        self._restarted: dict[str, float] = {}

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(self._interval)
            self.ask_once()

    def ask_once(self) -> None:
        """Learn which queues nobody claims from."""
        self._queues = self._ask()

    def deaf(self, children: Iterable[Child], now: float | None = None) -> list[Child]:
        """Return the ready workers to restart: those of a deaf queue, each at most once a minute."""
        now = time.monotonic() if now is None else now
        queues, self._queues = self._queues, set()
        found = [child for child in children if child.is_ready and queues.intersection(child.process.queues)]
        due = [child for child in found if now - self._restarted.get(child.process.name, -ONCE_PER) >= ONCE_PER]
        self._restarted |= {child.process.name: now for child in due}
        return due


def watch_for_deafness() -> DeafnessWatch | None:
    """Return a running watch, or None where there are no rows of work to ask about."""
    if not exists("shared.queries.work"):
        return None
    watch = DeafnessWatch()
    watch.start()
    return watch
