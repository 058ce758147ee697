"""How often a turn's events go out: the first token at once, later ones together."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from shared.background import Loop, attempt
from shared.providers.stream.stream import Event, TurnStream

HOLD_SECONDS = 0.04
MAX_PENDING = 5000


class TurnWriter:
    """Writes one attempt's events in order; texts of a kind are held for 40 ms and sent as one.

    What a dead broker refuses is kept and sent when it is back; nothing here raises or fails a turn.
    """

    def __init__(
        self,
        stream: TurnStream,
        turn_id: object,
        fence: int,
        *,
        hold_seconds: float = HOLD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._turn_id = turn_id
        self._fence = fence
        self._hold_seconds = hold_seconds
        self._clock = clock
        self._sent_at = float("-inf")
        self._kind = ""
        self._held: list[str] = []
        self._seq = 0
        self._pending: deque[Event] = deque(maxlen=MAX_PENDING)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        PACER.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        PACER.remove(self)
        with self._lock:
            self._flush()

    def token(self, text: str) -> None:
        """Add to the reply."""
        self._hold("token", text)

    def thinking(self, text: str) -> None:
        """Add to what the model thinks."""
        self._hold("thinking", text)

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event at once, after what is held."""
        with self._lock:
            self._take_held()
            self._add(kind, data)
            self._push()

    def add(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event with the next one, or within 40 ms."""
        with self._lock:
            self._take_held()
            self._add(kind, data)

    def flush_if_due(self) -> None:
        """Send what has been held long enough."""
        with self._lock:
            if (self._held or self._pending) and self._is_due():
                self._flush()

    def _hold(self, kind: str, text: str) -> None:
        with self._lock:
            if kind != self._kind:
                self._flush()
                self._kind, self._sent_at = kind, float("-inf")
            self._held.append(text)
            if self._is_due():
                self._flush()

    def _is_due(self) -> bool:
        return self._clock() - self._sent_at >= self._hold_seconds

    def _flush(self) -> None:
        self._sent_at = self._clock()
        self._take_held()
        self._push()

    def _take_held(self) -> None:
        if self._held:
            self._add(self._kind, {"text": "".join(self._held)})
            self._held.clear()

    def _add(self, kind: str, data: dict[str, Any]) -> None:
        self._seq += 1
        self._pending.append(Event(self._fence, self._seq, kind, data))

    def _push(self) -> None:
        if self._pending and self._stream.append(self._turn_id, self._fence, list(self._pending)):
            self._pending.clear()


class Pacer:
    """One thread per process that sends what a silent model leaves held; it sleeps while no turn is written."""

    def __init__(self, interval: float = HOLD_SECONDS) -> None:
        self._writers: set[TurnWriter] = set()
        self._changed = threading.Condition()
        self._loop = Loop("turn-pacer", self._round, lambda: interval)

    def add(self, writer: TurnWriter) -> None:
        """Look after a writer."""
        with self._changed:
            self._writers.add(writer)
            self._loop.ensure()
            self._changed.notify()

    def remove(self, writer: TurnWriter) -> None:
        """Leave a writer to itself."""
        with self._changed:
            self._writers.discard(writer)

    def _round(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._writers)
            writers = list(self._writers)
        for writer in writers:  # whatever is wrong with one turn, the thread is that of all
            if not attempt("sending a turn's events in time", writer.flush_if_due):
                self.remove(writer)


PACER = Pacer()
