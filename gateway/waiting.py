"""A request that waits for a reply, and for nothing that runs after it."""

import time
from functools import partial

from gateway import relay
from gateway.auth import scope
from shared.db import get_session
from shared.models import Message, Turn
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
