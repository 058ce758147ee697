"""A question to a persona (seed 000): answered out of what it has read, or with what it has read."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.idempotency import begun, idempotent
from gateway.http.quotas import adds_work
from gateway.routes.knowledge.search import ask
from gateway.schemas.knowledge.asking import AnswerOut, QuestionIn
from gateway.streaming import places
from gateway.streaming.waiting import wait_for_reply
from shared.db import Session, get_session
from shared.domain import prompt
from shared.domain.access import Permission
from shared.domain.conversation import ReplyOptions
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.prompt import Passage
from shared.domain.template import ENDED_EARLY, MISSED, why_less
from shared.errors import Conflict
from shared.logs import correlation
from shared.models import Message, Turn
from shared.providers.chat.extractive import answer_from, nothing_found
from shared.queries.dialogue import conversations, turns
from shared.queries.knowledge import recall, search
from shared.queries.personas import personas

bp = APIBlueprint("asking", __name__, url_prefix="/api/v1/personas")
LONGEST_TITLE = 200


@bp.post("/<uuid:persona_id>/ask")
@requires(Permission.CHAT)
@adds_work
@idempotent
@bp.input(QuestionIn)
@bp.output(AnswerOut)
def ask_persona(persona_id: UUID, json_data: QuestionIn) -> AnswerOut:
    """Ask a persona one question.

    The short way through the job: the answer with its sources, in the order profile, quotes, works. `degraded` says
    that it is less than it could be, `reason` why. Each question begins a conversation, to be gone on with at
    `conversation_id`.
    """
    query = json_data.query
    places.require()
    asked = begun(AnswerOut, lambda session: _ask(session, persona_id, query), status=200)
    if asked.turn_id is None:
        return asked
    turn, reply = wait_for_reply(asked.turn_id)
    answer = _without_reply(turn, persona_id, query) if reply is None else _of_reply(turn, reply)
    return AnswerOut.model_validate(dict(asked) | answer)


def _ask(session: Session, persona_id: UUID, query: str) -> dict[str, Any]:
    """Begin a conversation with the question, which can be gone on with; a persona that has read nothing says so."""
    persona = personas.get(session, scope(), persona_id)
    answer = {"answer": nothing_found(query), "degraded": False, "reason": None, "sources": []}
    if not search.has_read(session, persona):
        return answer | {"conversation_id": None, "turn_id": None}
    conversation = conversations.add(session, scope(), persona_id=persona.id, title=query[:LONGEST_TITLE])
    options: ReplyOptions = {turns.NEEDS_PASSAGES: True}
    turn = turns.add(session, scope(), conversation.id, query, options=options, meta=correlation())
    return answer | {"conversation_id": conversation.id, "turn_id": turn.id}


def _of_reply(turn: Turn, reply: Message) -> dict[str, Any]:
    """Return the reply with its sources, why the search may have missed some, and why it is cut."""
    reason = _why_less(turn)
    return {"answer": reply.content, "degraded": reason is not None, "reason": reason, "sources": _sources_of(reply)}


def _why_less(turn: Turn) -> str | None:
    with get_session() as session:
        found = turns.find_trace(session, scope(), turn.id)
    return why_less(found.trace.get("warnings", ()), (*MISSED, *ENDED_EARLY)) if found else None


def _without_reply(turn: Turn, persona_id: UUID, query: str) -> dict[str, Any]:
    """Answer in sentences of what was read about the question, or that it is nothing, and say why that is all."""
    if turn.status is RunStatus.CANCELLED:
        raise Conflict("the turn was cancelled", turn_id=turn.id)
    known = _recall(persona_id, query)
    answer = answer_from(query, known)
    cited = prompt.marked(answer, len(known))
    return {
        "answer": answer,
        "degraded": True,
        "reason": turn.status_message if turn.status in TERMINAL else "the reply is still on its way",
        "sources": [_source(number, passage, cited=number in cited) for number, passage in enumerate(known, 1)],
    }


def _recall(persona_id: UUID, query: str) -> Sequence[Passage]:
    """Return what the persona has read about it, as a reply is told it."""
    with get_session() as session:
        persona = personas.get(session, scope(), persona_id)
    question = ask(query)
    with get_session() as session:
        return prompt.in_order(recall.find(session, scope(), question, search.of_persona(persona)).passages)


def _sources_of(reply: Message) -> list[dict[str, Any]]:
    """Return the passages that a reply was given, but for those that were deleted since."""
    given = reply.extra_data or {}
    numbers = {chunk_id: number for number, chunk_id in enumerate(given.get("chunk_ids", ()), 1)}
    cited = prompt.marked(reply.content, len(numbers))
    with get_session() as session:
        passages = search.list_passages(session, scope(), [*numbers])
    return [_source(numbers[found.chunk_id], found, cited=numbers[found.chunk_id] in cited) for found in passages]


def _source(number: int, passage: Passage, *, cited: bool) -> dict[str, Any]:
    return asdict(passage) | {"number": number, "label": passage.label(), "cited": cited}
