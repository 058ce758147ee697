"""A request that waits for a reply, and for nothing that runs after it."""

import time
from functools import partial

from gateway import relay
from gateway.auth import scope
from shared.db import get_session
from shared.domain.lifecycle import may_pass
from shared.errors import PersonaeError, Unavailable, WorkFailed
from shared.models import Message, Turn, Work
from shared.queries import turns

LONGEST_WAIT = 120.0


def wait_for_reply(turn_id: int) -> tuple[Turn, Message | None]:
    """Return a turn, ended or not, and its saved reply; waits two minutes, or until this process is leaving."""
    deadline = time.monotonic() + LONGEST_WAIT
    for event in relay.relay(relay.turn_stream(), partial(relay.read_state, turn_id)):
        if (event and event.kind == "message") or relay.LEAVING or time.monotonic() > deadline:
            break
    with get_session() as session:
        turn = turns.get(session, scope(), turn_id)
        return turn, turns.find_reply(session, turn)


def failure(row: Work, missing: str, **ids: int) -> PersonaeError:
    """Return what to tell whoever waited for a row that FAILED: to try again only where that may help."""
    kind = Unavailable if may_pass(row.retry, row.retries) else WorkFailed
    return kind(f"no {missing}: {row.status_message}", **ids)
