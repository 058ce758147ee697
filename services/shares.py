"""How many slots of a worker the rows of one queue may take: a burst of one kind of work leaves room for the others."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from shared.tasks import DIALOGUE


def room(slots: int, queues: Collection[str]) -> int:
    """Return how many slots replies, or all other work together, may take of a worker with these queues."""
    return slots if len(queues) < 2 or slots < 2 else slots - max(slots // 4, 1)


class Share:
    """Some slots; whoever finds none free goes, and whoever leaves learns which queues' bells went."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    def enter(self, queue: str) -> bool:
        """Take a slot for a row of the queue, if one is free."""
        with self._lock:
            if self._free == 0:
                self._refused.add(queue)
                return False
            self._free -= 1
            return True

    def leave(self) -> set[str]:
        """Give the slot back; return the queues for which none was free since one was last given back."""
        with self._lock:
            self._free += 1
            told, self._refused = self._refused, set()
            return told


class Shares:
    """The shares of this process's worker; without any, every queue may take every slot."""

    def __init__(self) -> None:
        self._of: dict[str, Share] = {}

    def divide(self, slots: int, queues: Collection[str]) -> None:
        """Let neither replies nor the rest take all the slots of a worker that has both."""
        others = Share(room(slots, queues))
        shares = {name: Share(room(slots, queues)) if name == DIALOGUE.name else others for name in queues}
        self._of = shares if len(set(shares.values())) > 1 else {}

    @contextmanager
    def taken(self, queue: str) -> Iterator["Visit"]:
        """Take a slot for a row of the queue while the block runs."""
        share = self._of.get(queue)
        visit = Visit(share is None or share.enter(queue))
        try:
            yield visit
        finally:
            if share is not None and visit.has_slot:
                visit.refused = share.leave()


class Visit:
    """Whether a slot was free and, afterwards, the queues for which none was free meanwhile."""

    def __init__(self, has_slot: bool) -> None:
        self.has_slot = has_slot
        self.refused: set[str] = set()


SHARES = Shares()
