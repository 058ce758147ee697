"""Turns: a message in, a reply out, as a row, as a wait, or as a stream."""

from functools import partial
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from gateway.http.auth import requires, scope
from gateway.http.idempotency import begun, idempotent
from gateway.http.quotas import adds_work
from gateway.routes.answers import as_json
from gateway.schemas.dialogue.conversations import MessageOut
from gateway.schemas.dialogue.turns import MessageIn, SendQuery, TraceOut, TurnOut
from gateway.streaming import cancelling, places, relay
from gateway.streaming.waiting import failure, wait_for_reply
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import RunStatus
from shared.errors import Conflict, NotFound
from shared.logs import correlation
from shared.models import ModuleExecution, Turn, TurnTrace
from shared.queries.dialogue import post_response, turns

bp = APIBlueprint("turns", __name__, url_prefix="/api/v1")
EVENT_STREAM = "text/event-stream"

EVENTS = """Server-sent events, each with its kind and JSON:

- `turn`: the reply's `turn_id` and `conversation_id`
- `stage`: which of the five stages begins, `preparing` or `generating`
- `thinking`, `token`: more `text`
- `restart`: discard the text so far; another attempt begins
- `waiting`: a `reason`, and `retry_after` seconds until it is tried again
- `message`: the saved reply, whole; who wants no more may leave here
- `post_response`: a module that ran after the reply: its name, stage and status
- `done`: nothing more will come; `unfinished` names modules that are no longer waited for
- `cancelled`: somebody stopped it
- `error`: there is no reply, in the shape of every error
- `reconnect`: this gateway is being stopped; come back with `Last-Event-ID`

Lines that begin with a colon keep the connection open. A stream that was cut goes on at /api/v1/turns/{turn_id}/events
with `Last-Event-ID`."""
HEARD = """id: 1-2
event: stage
data: {"stage": 3, "state": "generating"}

id: 1-3
event: token
data: {"text": "A horn"}

event: message
data: {"id": "0b6f6f0e-5f3e-4c64-9f43-2f6f0c1d7a11", "role": "assistant", "content": "A horn [1].", "extra_data": {}}

event: done
data: {}

"""
AS_EVENTS: dict[str, Any] = {EVENT_STREAM: {"schema": {"type": "string"}, "example": HEARD}}
STREAM: dict[int, Any] = {200: {"description": EVENTS, "content": AS_EVENTS}}
AS_REPLY: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/MessageOut"}}}
WAITED: dict[int, Any] = {
    200: {
        "description": f"With `?wait=true` the saved reply; with `Accept: text/event-stream` the stream. {EVENTS}",
        "content": AS_REPLY | AS_EVENTS,
    }
}


@bp.post("/conversations/<uuid:conversation_id>/messages")
@requires(Permission.CHAT)
@adds_work
@idempotent
@bp.input(SendQuery, location="query")
@bp.input(MessageIn)
@bp.output(TurnOut, 202)
@bp.doc(responses=WAITED)
def send_message(conversation_id: UUID, query_data: SendQuery, json_data: MessageIn) -> Any:
    """Say something, and have it answered.

    The last step of the job. Three ways: at once 202 with the turn, to be watched at `get_turn` or
    `get_turn_events`; with `?wait=true` 200 with the saved reply (202 with the turn after two minutes); with
    `Accept: text/event-stream` 200 with the stream of its events. A reply's citations are in `extra_data`.
    """
    content, options = json_data.content, json_data.options()
    as_stream = EVENT_STREAM in request.accept_mimetypes.values()
    if as_stream:
        places.require()
    turn = begun(
        TurnOut,
        lambda session: turns.add(session, scope(), conversation_id, content, options=options, meta=correlation()),
    )
    if as_stream:
        return stream_turn(turn.id)
    return wait_for(turn.id) if query_data.wait else turn


@bp.get("/turns/<int:turn_id>")
@requires(Permission.READ)
@bp.output(TurnOut)
def get_turn(turn_id: int) -> Turn:
    """Say how far a reply is.

    `status` is PENDING, RUNNING, ERROR (another attempt follows), COMPLETED, FAILED or CANCELLED;
    `assistant_message_id` leads to the reply.
    """
    with get_session() as session:
        return turns.get(session, scope(), turn_id)


@bp.get("/turns/<int:turn_id>/trace")
@requires(Permission.READ)
@bp.output(TraceOut)
def get_turn_trace(turn_id: int) -> TurnTrace:
    """Say what a reply was made of.

    The prompt that was sent, stage by stage, and what it had to go without.
    """
    with get_session() as session:
        trace = turns.find_trace(session, scope(), turn_id)
    if trace is None:
        raise NotFound(f"turn {turn_id} has no trace yet")
    return trace


@bp.get("/turns/<int:turn_id>/events")
@requires(Permission.READ)
@bp.doc(responses=STREAM)
def get_turn_events(turn_id: int) -> Response:
    """Listen to a reply.

    Server-sent events from the beginning, or behind the one named in `Last-Event-ID`: for a stream that was cut.
    They can be heard again after the turn has ended.
    """
    places.require()
    with get_session() as session:
        turns.get(session, scope(), turn_id)
    return stream_turn(turn_id, after=request.headers.get("Last-Event-ID"))


@bp.post("/turns/<int:turn_id>/cancel")
@requires(Permission.CHAT)
@bp.output(TurnOut, 202)
def cancel_turn(turn_id: int) -> Turn:
    """Stop a reply.

    What was written until then is saved as a message; modules that run after the reply are stopped too.
    """
    with get_session() as session:
        turns.get(session, scope(), turn_id)
    cancelling.cancel(Turn, [turn_id])
    with get_session() as session:  # only now: a reply that was being saved has its modules, one to come has none
        runs = post_response.list_unfinished(session, turn_id)
    cancelling.cancel(ModuleExecution, runs)
    with get_session() as session:
        return turns.get(session, scope(), turn_id)


def stream_turn(turn_id: int, after: str | None = None) -> Response:
    """Answer with a turn's events as they come; the identity was checked, and no connection is held."""
    events = relay.relay(relay.turn_stream(), partial(relay.read_state, turn_id), after)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    told = relay.server_sent(events, has_left=places.departure())
    return Response(told, mimetype=EVENT_STREAM, headers=headers)


def wait_for(turn_id: int) -> Any:
    """Answer with the saved reply, or with the turn where that takes too long; raises what the turn failed with."""
    turn, reply = wait_for_reply(turn_id)
    if turn.status is RunStatus.FAILED:
        raise failure(turn, "reply", turn_id=turn.id)
    if turn.status is RunStatus.CANCELLED and reply is None:
        raise Conflict("the turn was cancelled", turn_id=turn.id)
    return as_json(MessageOut, reply, 200) if reply else as_json(TurnOut, turn, 202)
