"""Turns: a message in, a reply out, as a row, as a wait, or as a stream."""

from functools import partial
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from gateway import cancelling, relay
from gateway.auth import requires, scope
from gateway.idempotency import begun, idempotent
from gateway.schemas.base import Output
from gateway.schemas.conversations import MessageOut
from gateway.schemas.turns import MessageIn, SendQuery, TraceOut, TurnOut
from gateway.waiting import failure, wait_for_reply
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import RunStatus
from shared.errors import Conflict, NotFound
from shared.logs import correlation
from shared.models import ModuleExecution, Turn, TurnTrace
from shared.queries import following, turns
from shared.tasks import REPLY

bp = APIBlueprint("turns", __name__, url_prefix="/api/v1")
EVENT_STREAM = "text/event-stream"

STREAM: dict[int, Any] = {
    200: {
        "description": (
            "Server-sent events, each a kind and JSON: `turn`, `stage`, `thinking`, `token`, `restart` (discard the "
            "text so far), `waiting` (a `reason`, and `retry_after` seconds until it is tried again), "
            "`message`, `post_response`, `done`, `error`, `cancelled`; `Last-Event-ID` resumes after an event"
        ),
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


@bp.post("/conversations/<uuid:conversation_id>/messages")
@requires(Permission.CHAT)
@idempotent
@bp.input(SendQuery, location="query")
@bp.input(MessageIn)
@bp.output(TurnOut, 202)
def send_message(conversation_id: UUID, query_data: SendQuery, json_data: MessageIn) -> Any:
    content, options = json_data.content, json_data.options()
    turn = begun(
        TurnOut,
        lambda session: turns.add(session, scope(), conversation_id, content, options=options, meta=correlation()),
    )
    REPLY.ring(turn.id)
    if EVENT_STREAM in request.accept_mimetypes.values():
        return stream_turn(turn.id)
    return wait_for(turn.id) if query_data.wait else turn


@bp.get("/turns/<int:turn_id>")
@requires(Permission.READ)
@bp.output(TurnOut)
def get_turn(turn_id: int) -> Turn:
    with get_session() as session:
        return turns.get(session, scope(), turn_id)


@bp.get("/turns/<int:turn_id>/trace")
@requires(Permission.READ)
@bp.output(TraceOut)
def get_turn_trace(turn_id: int) -> TurnTrace:
    with get_session() as session:
        trace = turns.find_trace(session, scope(), turn_id)
    if trace is None:
        raise NotFound(f"turn {turn_id} has no trace yet")
    return trace


@bp.get("/turns/<int:turn_id>/events")
@requires(Permission.READ)
@bp.doc(responses=STREAM)
def get_turn_events(turn_id: int) -> Response:
    with get_session() as session:
        turns.get(session, scope(), turn_id)
    return stream_turn(turn_id, after=request.headers.get("Last-Event-ID"))


@bp.post("/turns/<int:turn_id>/cancel")
@requires(Permission.CHAT)
@bp.output(TurnOut, 202)
def cancel_turn(turn_id: int) -> Turn:
    with get_session() as session:
        turns.get(session, scope(), turn_id)
    cancelling.cancel(Turn, [turn_id])
    with get_session() as session:  # only now: a reply that was being saved has its modules, one to come has none
        runs = following.list_unfinished(session, turn_id)
    cancelling.cancel(ModuleExecution, runs)
    with get_session() as session:
        return turns.get(session, scope(), turn_id)


def stream_turn(turn_id: int, after: str | None = None) -> Response:
    """Answer with a turn's events as they come; the identity was checked, and no connection is held."""
    events = relay.relay(relay.turn_stream(), partial(relay.read_state, turn_id), after)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Response(relay.server_sent(events), mimetype=EVENT_STREAM, headers=headers)


def wait_for(turn_id: int) -> Any:
    """Answer with the saved reply, or with the turn where that takes too long; raises what the turn failed with."""
    turn, reply = wait_for_reply(turn_id)
    if turn.status is RunStatus.FAILED:
        raise failure(turn, "reply", turn_id=turn.id)
    if turn.status is RunStatus.CANCELLED and reply is None:
        raise Conflict("the turn was cancelled", turn_id=turn.id)
    return as_json(MessageOut, reply, 200) if reply else as_json(TurnOut, turn, 202)


def as_json(schema: type[Output], row: object, status: int) -> Response:
    """Answer with another schema than the route's own."""
    return Response(schema.model_validate(row).model_dump_json(), status, mimetype="application/json")
