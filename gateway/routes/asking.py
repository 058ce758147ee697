"""A question to a persona (seed 000): answered out of what it has read, or with what it has read."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.auth import requires, scope
from gateway.idempotency import idempotent, once
from gateway.routes.search import ask
from gateway.schemas.asking import AnswerOut, QuestionIn
from gateway.waiting import wait_for_reply
from shared.db import Session, get_session
from shared.domain import prompt
from shared.domain.access import Permission
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.prompt import Passage
from shared.errors import Conflict
from shared.logs import correlation
from shared.models import Message, Turn
from shared.providers.extractive import nothing_found
from shared.queries import conversations, personas, search, turns
from shared.tasks import REPLY

bp = APIBlueprint("asking", __name__, url_prefix="/api/v1/personas")
LONGEST_TITLE = 200


@bp.post("/<uuid:persona_id>/ask")
@requires(Permission.CHAT)
@idempotent
@bp.input(QuestionIn)
@bp.output(AnswerOut)
def ask_persona(persona_id: UUID, json_data: QuestionIn) -> AnswerOut:
    known, reason = _recall(persona_id, json_data.query)
    with once() as once_:
        turn = _add_turn(once_.session, persona_id, json_data.query) if known else None
        answer = once_.keep(_without_model(json_data.query, known, reason, turn), 200)
    if turn is None:
        return answer
    REPLY.ring(turn.id)
    return _answer(*wait_for_reply(turn.id), answer)


def _recall(persona_id: UUID, query: str) -> tuple[Sequence[Passage], str | None]:
    """Return what the persona has read about it, as a reply is told it, and why that may be less than there is."""
    with get_session() as session:
        persona = personas.get(session, scope(), persona_id)
    question, reason = ask(query)
    with get_session() as session:
        found = search.hybrid(session, scope(), question, search.of_persona(persona))
    return prompt.in_order(found), reason


def _add_turn(session: Session, persona_id: UUID, query: str) -> Turn:
    """Begin a conversation with the question; it can be gone on with."""
    conversation = conversations.add(session, scope(), persona_id=persona_id, title=query[:LONGEST_TITLE])
    return turns.add(session, scope(), conversation.id, query, meta=correlation())


def _answer(turn: Turn, reply: Message | None, otherwise: AnswerOut) -> AnswerOut:
    """Return the reply with its sources; without one, what can be said `otherwise`, and why."""
    if reply is None and turn.status is RunStatus.CANCELLED:
        raise Conflict("the turn was cancelled", turn_id=turn.id)
    if reply is None:
        why = turn.status_message if turn.status in TERMINAL else "the reply is still on its way"
        return otherwise.model_copy(update={"reason": why})
    answer = {"answer": reply.content, "degraded": False, "reason": None, "sources": _sources_of(reply)}
    return AnswerOut.model_validate(dict(otherwise) | answer)


def _without_model(query: str, known: Sequence[Passage], reason: str | None, turn: Turn | None) -> AnswerOut:
    """Say what the persona has read about the question, or that it is nothing."""
    answer = {
        "answer": "\n\n".join(prompt.as_told(known)) or nothing_found(query),
        "degraded": bool(known) or reason is not None,
        "reason": "the reply is still on its way" if known else reason,
        "sources": [_source(number, passage, cited=True) for number, passage in enumerate(known, 1)],
        "conversation_id": turn and turn.conversation_id,
        "turn_id": turn and turn.id,
    }
    return AnswerOut.model_validate(answer)


def _sources_of(reply: Message) -> list[dict[str, Any]]:
    """Return the passages that a reply was given, but for those that were deleted since."""
    given = reply.extra_data or {}
    numbers = {chunk_id: number for number, chunk_id in enumerate(given.get("chunk_ids", ()), 1)}
    cited = {citation["chunk_id"] for citation in given.get("citations", ())}
    with get_session() as session:
        passages = search.list_passages(session, scope(), [*numbers])
    return [_source(numbers[found.chunk_id], found, cited=found.chunk_id in cited) for found in passages]


def _source(number: int, passage: Passage, *, cited: bool) -> dict[str, Any]:
    return asdict(passage) | {"number": number, "label": passage.label(), "cited": cited}
