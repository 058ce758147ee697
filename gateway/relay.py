"""The events of a turn: from the worker's stream while it lasts, else from the rows; no connection is held."""

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from shared.db import get_session
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.models import Turn
from shared.providers.stream import TERMINAL as TERMINAL_EVENTS
from shared.providers.stream import Event, StreamBroken, TurnStream, connect_turn_stream
from shared.queries import turns
from shared.settings import get_settings

TICK = 1.5  # seconds without an event until the row is asked
GLANCE = 0.05  # the same, for a turn that has ended already
HEARTBEAT = 15.0
RETRY_MILLISECONDS = 1000
RECONNECT = "event: reconnect\ndata: {}\n\n"  # no id: the client goes on behind the last event it heard
AWAY = (OperationalError, InterfaceError, NoConnectionFree)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TurnState:
    """What the row of a turn says."""

    turn_id: int
    status: RunStatus
    fence: int
    error: str | None
    message: dict[str, Any] | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in TERMINAL

    @property
    def attempt(self) -> int:
        """The fence of the attempt that is running, was the last, or will be the next."""
        waits = self.status in (RunStatus.PENDING, RunStatus.ERROR)
        return self.fence + 1 if waits else self.fence


@cache
def turn_stream() -> TurnStream:
    """Return the process's reader of turn events."""
    return connect_turn_stream(get_settings())


def read_state(turn_id: int) -> TurnState:
    """Read the row of a turn; one that was deleted meanwhile counts as cancelled."""
    with get_session() as session:
        turn = session.get(Turn, turn_id)
        if turn is None:
            return TurnState(turn_id, RunStatus.CANCELLED, 0, "deleted", None)
        reply = turns.find_reply(session, turn)
        message = turns.as_event(reply) if reply else None
        return TurnState(turn.id, turn.status, turn.fence, turn.status_message, message)


def relay(stream: TurnStream, read: Callable[[], TurnState], after: str | None = None) -> Iterator[Event | None]:
    """Yield a turn's events behind the id `after`, whichever attempt they are of, and None at every quiet tick.

    A database that is away makes quiet ticks, and ends no stream.
    """
    over = False
    while not over:
        state = yield from _patiently(read)
        try:
            for event in _attempt(stream, read, state, after):
                yield event
                if event is not None:
                    after, over = event.id, event.kind in TERMINAL_EVENTS
        except StreamBroken:
            yield from _when_over(read)
            return


def _attempt(
    stream: TurnStream, read: Callable[[], TurnState], state: TurnState, after: str | None
) -> Iterator[Event | None]:
    """Yield what comes of one attempt; ends when the row says that another has begun, or how the turn ended."""
    quiet = GLANCE if state.is_over else TICK
    for event in stream.events(state.turn_id, state.attempt, after=after, block_seconds=quiet):
        yield event
        if event is None and state.is_over:
            yield from from_rows(state)
            return
        if event is None and (_glance(read) or state) != state:
            return


def _patiently(read: Callable[[], TurnState]) -> Generator[None, None, TurnState]:
    """Read the row, however many ticks the database is away."""
    while (state := _glance(read)) is None:
        yield None
        time.sleep(TICK)
    return state


def _glance(read: Callable[[], TurnState]) -> TurnState | None:
    """Read the row; None while the database is away."""
    try:
        return read()
    except AWAY as error:
        log.warning("a turn cannot be read", extra={"kind": type(error).__name__})
        return None


def _when_over(read: Callable[[], TurnState]) -> Iterator[Event | None]:
    while not (state := (yield from _patiently(read))).is_over:
        yield None
        time.sleep(TICK)
    yield from from_rows(state)


def from_rows(state: TurnState) -> Iterator[Event]:
    """Yield how a turn ended, for a client that discards what it had; these events have no id."""
    yield Event(state.fence, 0, "restart", {"turn_id": state.turn_id})
    if state.message is not None:
        yield Event(state.fence, 0, "message", state.message)
    match state.status:
        case RunStatus.COMPLETED:
            yield Event(state.fence, 0, "done", {})
        case RunStatus.CANCELLED:
            yield Event(state.fence, 0, "cancelled", {})
        case _:
            yield Event(state.fence, 0, "error", {"error": state.error or "failed"})


class Leaving:
    """Whether this process is about to end; a plain flag, because a signal handler sets it."""

    def __init__(self) -> None:
        self.is_set = False

    def __bool__(self) -> bool:
        return self.is_set

    def set(self) -> None:
        """Let every stream of this process end at its next event or tick."""
        self.is_set = True


LEAVING = Leaving()


def server_sent(events: Iterator[Event | None], leaving: Leaving = LEAVING) -> Iterator[str]:
    """Write events as text/event-stream; the first line goes out at once, a comment every 15 s of silence.

    A process that is leaving sends its clients on: they resume elsewhere, and no event is lost.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    written = time.monotonic()
    for event in events:
        if event is not None or time.monotonic() - written > HEARTBEAT:
            yield written_out(event) if event else ": still here\n\n"
            written = time.monotonic()
        if leaving and not (event and event.kind in TERMINAL_EVENTS):
            yield RECONNECT
            return


def written_out(event: Event) -> str:
    """Write one event."""
    identity = f"id: {event.id}\n" if event.seq else ""
    return f"{identity}event: {event.kind}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"
