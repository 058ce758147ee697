"""Finds workers that run but no longer take work: a broker's restart can leave a worker's main process deaf."""

import socket
import time
from collections.abc import Callable, Iterable
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from deploy.local.stack.plan import Process
from deploy.local.supervision.child import Child
from services.shares import room
from shared.background import Loop
from shared.db import Session, get_session
from shared.domain.lifecycle import RunStatus
from shared.models.base import Work
from shared.queries.work import engine
from shared.queries.work import workers as consumers

INTERVAL = 10.0
ONCE_PER = 60.0

Ask = Callable[[], set[str]]


def deaf_workers(workers: Iterable[Process]) -> set[str]:
    """Return the names of workers with a free slot whose rows nobody claims, or of whose slots half are stuck.

    None while the database is down.
    """
    try:
        with get_session() as session:
            return {worker.name for worker in workers if _is_deaf(session, worker) or _is_stuck(session, worker)}
    except (SQLAlchemyError, OSError):
        return set()


def _is_deaf(session: Session, worker: Process) -> bool:
    slots = room(worker.slots, worker.queues)
    unheard = consumers.deaf_queues(session, dict.fromkeys(worker.queues, slots))
    return not unheard.isdisjoint(worker.queues) and _count_running(session, engine.models(), worker) < slots


def _is_stuck(session: Session, worker: Process) -> bool:
    return consumers.is_half_stuck(session, f"{worker.name}@{socket.gethostname()}:")


def _count_running(session: Session, models: Iterable[type[Work]], worker: Process) -> int:
    """Count over all its queues: one queue's long rows may fill every slot, and the others then wait rightly."""
    return sum(
        session.scalar(
            select(func.count())
            .select_from(model)
            .where(model.status == RunStatus.RUNNING, model.queue.in_(worker.queues))
        )
        or 0
        for model in models
    )


class DeafnessWatch:
    """Asks every 10 s, in a thread: the database may be down, or frozen, and the supervisor must go on."""

    def __init__(self, ask: Ask, interval: float = INTERVAL) -> None:
        self._ask = ask
        self._interval = interval
        self._found: set[str] = set()
        self._restarted: dict[str, float] = {}

    def start(self) -> None:
        """Begin to ask."""
        Loop("deafness", self._ask_later, lambda: 0.0).ensure()

    def _ask_later(self) -> None:
        time.sleep(self._interval)
        self.ask_once()

    def ask_once(self) -> None:
        """Learn which workers are deaf."""
        self._found = self._ask()

    def deaf(self, children: Iterable[Child], now: float | None = None) -> list[Child]:
        """Return the deaf workers to restart, each at most once a minute, and not while one is starting."""
        now = time.monotonic() if now is None else now
        names, self._found = self._found, set()
        deaf = [child for child in children if child.is_ready and child.process.name in names]
        due = [child for child in deaf if now - self._restarted.get(child.process.name, -ONCE_PER) >= ONCE_PER]
        self._restarted |= {child.process.name: now for child in due}
        return due


def watch_for_deafness(plan: Iterable[Process]) -> DeafnessWatch | None:
    """Return a running watch over the plan's workers, or None where there are no rows of work to ask about."""
    workers = [process for process in plan if process.queues]
    if not workers:
        return None
    watch = DeafnessWatch(partial(deaf_workers, workers))
    watch.start()
    return watch
