"""Who may ask the embedding server now: a few requests in all, those with the fewest texts left first."""

import heapq
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from services import leases
from shared.db import try_lock

POLL_SECONDS = 0.25
LOCKS = 0x656D6265  # the class of our advisory locks: "embe"


class Places:
    """Places before one embedding server, `limit` in all the processes that share the database."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._taken = 0
        self._count = itertools.count()

    @contextmanager
    def place(self, texts_left: int) -> Iterator[None]:
        """Hold a place, waited for without the clock of `max_runtime`; raises Stopped when told to stop."""
        ticket = (texts_left, next(self._count))
        self._wait_here(ticket)
        try:
            with self._lock_somewhere():
                yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def _wait_here(self, ticket: tuple[int, int]) -> None:
        with self._changed, leases.unhurried() as check:
            heapq.heappush(self._waiting, ticket)
            try:
                while self._taken >= self._limit or self._waiting[0] != ticket:
                    check()
                    self._changed.wait(POLL_SECONDS)
                self._taken += 1
            finally:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                self._changed.notify_all()

    @contextmanager
    def _lock_somewhere(self) -> Iterator[None]:
        """Take one of the locks that all processes share."""
        for slot in itertools.cycle(range(self._limit)):
            with try_lock(LOCKS, slot) as taken:
                if taken:
                    yield
                    return
            if slot == self._limit - 1:
                leases.wait(POLL_SECONDS)
