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


class Presence:
    """Who is there now that others let pass."""

    def __init__(self) -> None:
        self._idle = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How many are there."""
        return self._count

    def come(self) -> None:
        """Be there."""
        self._change(1)

    def go(self) -> None:
        """Be gone."""
        self._change(-1)

    def let_pass(self, patience: float = 5.0) -> None:
        """Wait until nobody is there, but not for ever."""
        with self._idle:
            self._idle.wait_for(lambda: self._count == 0, patience)

    def _change(self, change: int) -> None:
        with self._idle:
            self._count += change
            self._idle.notify_all()


class Turns:
    """One thread for one kind of request; whoever is in `waits_for` goes first."""

    def __init__(
        self, name: str, *, places: int, present: Presence | None = None, waits_for: Presence | None = None
    ) -> None:
        self.present = present or Presence()
        self._thread = ThreadPoolExecutor(1, name)
        self._places = threading.BoundedSemaphore(places)
        self._waits_for = waits_for

    def take(
        self, texts: list[str], work: Callable[[list[str]], Made], *, is_gone: Callable[[], bool] = lambda: False
    ) -> list[Made]:
        """Work on the texts slice by slice, in turn with other requests; raises Busy or Left."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many requests wait already")
        self.present.come()
        try:
            slices = [texts[start : start + SLICE] for start in range(0, len(texts), SLICE)]
            return [self._thread.submit(self._work, part, work, is_gone).result() for part in slices]
        finally:
            self.present.go()
            self._places.release()

    def _work(self, part: list[str], work: Callable[[list[str]], Made], is_gone: Callable[[], bool]) -> Made:
        if is_gone():
            raise Left
        if self._waits_for is not None:
            self._waits_for.let_pass()
        return work(part)
