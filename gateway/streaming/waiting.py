"""A request that waits for a reply, and for nothing that runs after it."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

from gateway.http.auth import scope
from gateway.streaming import places, relay
from shared import errors
from shared.db import get_session
from shared.domain.lifecycle import TERMINAL, RunStatus, may_pass
from shared.errors import Conflict, PersonaeError, Transient, Unavailable, WorkFailed
from shared.models import Message, Turn, Work
from shared.queries.dialogue import turns

LONGEST_WAIT = 120.0
LONGEST_LOOK = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5  # seconds between two looks: most scripts are done after the first
Row = TypeVar("Row", bound=Work)
PASSING = (Transient.__name__, Unavailable.__name__)


def wait_for_reply(turn_id: int) -> tuple[Turn, Message | None]:
    """Return a turn, ended or not, and its saved reply; waits two minutes, or until its client or this process leaves.

    Where no thread may be held for long it does not wait.
    """
    if places.take():
        _listen(turn_id)
    with get_session() as session:
        turn = turns.get(session, scope(), turn_id)
        return turn, turns.find_reply(session, turn)


def _listen(turn_id: int) -> None:
    deadline, has_left = time.monotonic() + LONGEST_WAIT, places.departure()
    for event in relay.relay(relay.turn_stream(), partial(relay.read_state, turn_id)):
        if (event and event.kind == "message") or relay.LEAVING or time.monotonic() > deadline:
            return
        if event is None and has_left():
            return


def wait_until_ended(read: Callable[[], Row], seconds: float = LONGEST_LOOK) -> Row:
    """Look at a row until it has ended, for 30 seconds or until its client or this process leaves.

    No connection is held; where no thread may be held for long it looks once.
    """
    deadline, pause = time.monotonic() + (seconds if seconds and places.take() else 0), FIRST_PAUSE
    gone = places.departure()
    while (row := read()).status not in TERMINAL and not relay.LEAVING and not gone() and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return row


def error_of(row: Work, **ids: int) -> PersonaeError:
    """Return the error that a row ended with, as if it had been raised here."""
    if row.status is RunStatus.CANCELLED:
        return Conflict("it was cancelled", **ids)
    known = getattr(errors, row.status_meta.get("error_type", ""), WorkFailed)
    return cast("PersonaeError", known(row.status_message or "failed", **ids))


def failure(row: Work, missing: str, **ids: int) -> PersonaeError:
    """Return what to tell whoever waited for a row that FAILED: to try again only where that may help."""
    known = row.status_meta.get("error_type")
    passing = known in PASSING if known else may_pass(row.retry, row.retries)
    kind = Unavailable if passing else WorkFailed
    return kind(f"no {missing}: {row.status_message}", **ids)
