"""The events of a turn: from the worker's stream while it lasts, else from the rows; no connection is held.

How the modules after a reply end is always told from the rows: the settlement of each writes it, and nobody else.
"""

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import chain, repeat
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from shared import failures
from shared.db import get_session
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.models import Turn
from shared.providers.stream.stream import FOLLOWED, Event, StreamBroken, TurnStream, connect_turn_stream, start_after
from shared.providers.stream.stream import TERMINAL as TERMINAL_EVENTS
from shared.queries.dialogue import post_response, turns
from shared.queries.dialogue.post_response import AfterReply
from shared.settings import get_settings

TICK = 1.5  # seconds without an event until the row is asked
GLANCE = 0.05  # the same, for a turn that has ended already
PAUSES = (0.25, 0.5, 1.0)  # seconds between glances at the modules after a reply; the last one again and again
# What they come to is numbered from here, above every event of a stream: an attempt holds words for 40 ms and is
# stopped after ten minutes, which makes some 15,000 events.
AFTER_REPLY = 1_000_000
TOLD = ("module", "stage", "status", "message", "warnings")
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
    after_reply: AfterReply = post_response.NOTHING
    due: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended; modules may still run after its reply."""
        return self.status in TERMINAL

    @property
    def is_all_over(self) -> bool:
        """Whether nothing more will come, or would be waited for."""
        return self.is_over and (not self.after_reply.waiting or self.after_reply.is_late)

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
        state = TurnState(turn.id, turn.status, turn.fence, turn.status_message, message, due=turn.ready_at)
        if turn.status is not RunStatus.COMPLETED:
            return state
        wait = get_settings().post_response_wait
        return replace(state, after_reply=post_response.after_reply(session, turn.id, wait))


def relay(stream: TurnStream, read: Callable[[], TurnState], after: str | None = None) -> Iterator[Event | None]:
    """Yield a turn's events behind the id `after`, whichever attempt they are of, and None at every quiet tick.

    An id that this turn never gave makes it begin anew, with `restart`. A database that is away makes quiet ticks,
    and ends no stream.
    """
    state = yield from _patiently(read)
    after = yield from _begin(state, after)
    over = False
    while not over:
        try:
            for event in _attempt(stream, read, state, after):
                yield event
                if event is not None:
                    after, over = event.id, event.kind in TERMINAL_EVENTS
        except StreamBroken:
            yield from _when_over(read)
            return
        if not over:
            state = yield from _patiently(read)


def _begin(state: TurnState, after: str | None) -> Generator[Event, None, str | None]:
    """Yield what a listener must know before the events of an attempt; return the id to go on behind."""
    if after and not _is_of(state, after):
        after = None
        if state.attempt == 1:  # a later one says `restart` by itself
            yield _restart(state)
    if state.status is RunStatus.ERROR:
        yield _waiting(state)
    return after


def _is_of(state: TurnState, event_id: str) -> bool:
    """Say whether the turn's attempt can have given this id by now."""
    return 0 < start_after(state.attempt, event_id) <= (AFTER_REPLY + len(state.after_reply.ended))


def _attempt(
    stream: TurnStream, read: Callable[[], TurnState], state: TurnState, after: str | None
) -> Iterator[Event | None]:
    """Yield what comes of one attempt; ends when the row says that another has begun, or how the turn ended."""
    if (told := start_after(state.fence, after) - AFTER_REPLY) > 0:
        yield from _after_reply(read, state, told)
        return
    quiet = GLANCE if state.is_over else TICK
    for event in stream.events(state.turn_id, state.attempt, after=after, block_seconds=quiet):
        if event is not None and event.kind == FOLLOWED:
            yield from _after_reply(read, state)
            return
        yield event
        if event is None and state.is_over:
            yield from from_rows(read, state)
            return
        if event is None and (_glance(read) or state) != state:
            return


def _after_reply(read: Callable[[], TurnState], state: TurnState, told: int = 0) -> Iterator[Event | None]:
    """Yield how each module after the reply ended, behind those `told`, and `done` after all or the longest wait."""
    pauses = chain(PAUSES, repeat(PAUSES[-1]))
    while True:
        for number, run in enumerate(state.after_reply.ended[told:], told + 1):
            yield Event(state.fence, AFTER_REPLY + number, "post_response", _ended(run))
        told = max(told, len(state.after_reply.ended))
        if state.is_all_over:
            waiting = state.after_reply.waiting
            unfinished = {"unfinished": [*waiting]} if waiting else {}
            yield Event(state.fence, 0, "done", unfinished | turns.end_of(state.message))
            return
        yield None
        time.sleep(next(pauses))
        state = yield from _patiently(read)


def _ended(run: Mapping[str, Any]) -> dict[str, Any]:
    return {name: run[name] for name in TOLD if run.get(name)}


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
    yield from from_rows(read, state)


def _restart(state: TurnState) -> Event:
    return Event(state.fence, 0, "restart", {"turn_id": state.turn_id})


def _waiting(state: TurnState) -> Event:
    left = (state.due - datetime.now(UTC)).total_seconds() if state.due else 0.0
    return Event(state.fence, 0, "waiting", failures.waiting(state.error or "the attempt failed", left))


def from_rows(read: Callable[[], TurnState], state: TurnState) -> Iterator[Event | None]:
    """Yield how a turn ended, for a client that discards what it had; restart, message and ends have no id."""
    yield _restart(state)
    if state.message is not None:
        yield Event(state.fence, 0, "message", state.message)
    match state.status:
        case RunStatus.COMPLETED:
            yield from _after_reply(read, state)
        case RunStatus.CANCELLED:
            yield Event(state.fence, 0, "cancelled", {})
        case _:
            yield Event(state.fence, 0, "error", failures.of_turn(state.error))


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


def server_sent(
    events: Iterator[Event | None], leaving: Leaving = LEAVING, has_left: Callable[[], bool] = lambda: False
) -> Iterator[str]:
    """Write events as text/event-stream; the first line goes out at once, a comment every 15 s of silence.

    A process that is leaving sends its clients on: they resume elsewhere, and no event is lost. A client that has left
    is noticed at the next quiet tick.
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
        if event is None and has_left():
            return


def written_out(event: Event) -> str:
    """Write one event."""
    identity = f"id: {event.id}\n" if event.seq else ""
    return f"{identity}event: {event.kind}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"
