"""Silence after a failure, so that a dead server costs its callers one timeout and not one each."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Breaker:
    """Open for `seconds` after a failure; one line is logged per opening."""

    def __init__(self, name: str, seconds: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._seconds = seconds
        self._clock = clock
        self._opens_until = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether calls should be left out for now."""
        return self._clock() < self._opens_until

    def trip(self, error: Exception) -> None:
        """Open, and say why."""
        with self._lock:
            if self.is_open:
                return
            self._opens_until = self._clock() + self._seconds
        log.warning("%s cannot be reached", self._name, extra={"error": type(error).__name__})
