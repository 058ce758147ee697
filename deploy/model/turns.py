"""Whose texts are embedded next: requests take turns by slices, and only so many may wait."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

SLICE = 4  # texts between two looks at who else waits, and at whether the client is still there
Made = TypeVar("Made")


class Busy(Exception):
    """As many requests wait as may: come again later."""


class Left(ConnectionError):
    """The client has left; what is not yet embedded for it never will be."""


class Turns:
    """One thread for one kind of request; `waits_for` is of another kind, and goes first."""

    def __init__(self, name: str, *, places: int, waits_for: "Turns | None" = None) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._places = threading.BoundedSemaphore(places)
        self._waits_for = waits_for
        self._idle = threading.Condition()
        self._present = 0

    def take(
        self, texts: list[str], work: Callable[[list[str]], Made], *, is_gone: Callable[[], bool] = lambda: False
    ) -> list[Made]:
        """Work on the texts slice by slice, in turn with other requests; raises Busy or Left."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many requests wait already")
        self._count(1)
        try:
            slices = [texts[start : start + SLICE] for start in range(0, len(texts), SLICE)]
            return [self._thread.submit(self._work, part, work, is_gone).result() for part in slices]
        finally:
            self._count(-1)
            self._places.release()

    def _work(self, part: list[str], work: Callable[[list[str]], Made], is_gone: Callable[[], bool]) -> Made:
        if is_gone():
            raise Left
        if self._waits_for is not None:
            self._waits_for.let_pass()
        return work(part)

    def let_pass(self, patience: float = 5.0) -> None:
        """Wait until no request of this kind is present, but not for ever."""
        with self._idle:
            self._idle.wait_for(lambda: self._present == 0, patience)

    def _count(self, change: int) -> None:
        with self._idle:
            self._present += change
            self._idle.notify_all()
