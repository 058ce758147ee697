"""Threads that cannot fail in silence: what one of ours raises is logged, and a loop goes on."""

import logging
import threading
from collections.abc import Callable

FAILURE_PAUSE = 1.0  # seconds, at least, after what failed: it may fail again at once

log = logging.getLogger(__name__)


def tried(act: Callable[[], object]) -> Exception | None:
    """Run one of several acts of which none may hold up the others; return what it raised."""
    try:
        act()
    except Exception as error:
        return error
    return None


def attempt(name: str, act: Callable[[], object]) -> bool:
    """Run an act that may fail without harm to who runs it; log what it raised, and say whether it succeeded."""
    error = tried(act)
    if error is not None:
        log.error("failed in the background", extra={"act": name}, exc_info=error)
    return error is None


def begin(name: str, act: Callable[[], object]) -> threading.Thread:
    """Run an act once in a thread of its own, which ends with the process; what it raises is logged."""
    thread = threading.Thread(target=attempt, args=(name, act), name=name, daemon=True)
    thread.start()
    return thread


def later(name: str, seconds: float, act: Callable[[], object]) -> threading.Timer:
    """Run an act after so many seconds, unless the timer that this returns is cancelled; what it raises is logged."""
    timer = threading.Timer(seconds, attempt, (name, act))
    timer.daemon = True
    timer.start()
    return timer


class Loop:
    """An act that is run again and again by a thread of its own, whatever it raises, `pause` seconds apart."""

    def __init__(self, name: str, act: Callable[[], object], pause: Callable[[], float]) -> None:
        self.name = name
        self._act = act
        self._pause = pause
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def ensure(self) -> None:
        """Have a thread run it: the first, or another where that was left behind by a fork or has ended."""
        with self._lock:
            if self.is_alive or self._stopped.is_set():
                return
            if self._thread is not None:
                log.error("a thread had ended and is started again", extra={"act": self.name})
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Let its thread end after what it is at."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            succeeded = attempt(self.name, self._act)
            self._stopped.wait(self._pause() if succeeded else max(self._pause(), FAILURE_PAUSE))
