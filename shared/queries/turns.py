"""Turns: one after the other in a conversation, each a reply to one message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from shared.domain.conversation import MessageRole
from shared.domain.lifecycle import TERMINAL
from shared.errors import Invalid, NotFound
from shared.models import Conversation, Message, Persona, Turn, TurnTrace
from shared.queries import conversations, memory, work
from shared.queries.scope import Scope


def add(
    session: Session,
    scope: Scope,
    conversation_id: UUID,
    content: str,
    *,
    options: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> Turn:
    """Save the user's message and the turn that will answer it; it waits while an earlier turn is unfinished.

    Raises NotFound for a conversation of somebody else, Invalid for one without a persona.
    """
    conversation = conversations.lock(session, conversation_id, scope)
    if conversation.persona_id is None:
        raise Invalid("the conversation has no persona that could answer: set persona_id first")
    message = Message(conversation_id=conversation.id, role=MessageRole.USER, content=content)
    session.add(message)
    session.flush()
    turn = Turn(
        conversation_id=conversation.id,
        user_message_id=message.id,
        options=options or {},
        status_meta=meta or {},
        ready_at=None if _unfinished(session, conversation.id) else func.clock_timestamp(),
    )
    session.add(turn)
    session.flush()
    session.refresh(turn)
    return turn


def get(session: Session, scope: Scope, turn_id: int) -> Turn:
    """Return a turn of the scope's; raises NotFound."""
    turn = session.scalar(_owned(scope).where(Turn.id == turn_id))
    if turn is None:
        raise NotFound(f"turn {turn_id} not found")
    return turn


def list_(session: Session, scope: Scope, conversation_id: UUID, *, limit: int, offset: int) -> Sequence[Turn]:
    """Return the turns of a conversation, newest first."""
    mine = _owned(scope).where(Turn.conversation_id == conversation_id)
    return session.scalars(mine.order_by(Turn.id.desc()).limit(limit).offset(offset)).all()


def find_trace(session: Session, scope: Scope, turn_id: int) -> TurnTrace | None:
    """Return how a turn of the scope's came about, once it has ended."""
    return session.get(TurnTrace, get(session, scope, turn_id).id)


def find_reply(session: Session, turn: Turn) -> Message | None:
    """Return the assistant's message of a turn, once it is saved."""
    return session.get(Message, turn.assistant_message_id) if turn.assistant_message_id else None


@dataclass(frozen=True)
class TurnContext:
    """What a reply is made from, as it was when the turn was loaded."""

    turn_id: int
    fence: int
    owner_id: str
    conversation_id: UUID
    persona: Persona
    question: str
    history: tuple[tuple[str, str], ...]
    provider_type: str | None
    provider_config: dict[str, Any]
    options: dict[str, Any]


def load(session: Session, turn: Turn, *, history: int) -> TurnContext:
    """Read a turn's conversation, persona, question and up to `history` earlier messages, oldest first."""
    conversation = session.get_one(Conversation, turn.conversation_id)
    question = session.get_one(Message, turn.user_message_id)
    return TurnContext(
        turn_id=turn.id,
        fence=turn.fence,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        persona=session.get_one(Persona, conversation.persona_id),
        question=question.content,
        history=tuple((said.role.value, said.content) for said in _said_before(session, question, limit=history)),
        provider_type=conversation.provider_type,
        provider_config=conversation.provider_config or {},
        options=turn.options,
    )


def _said_before(session: Session, question: Message, *, limit: int) -> list[Message]:
    """Return up to `limit` messages before a question, oldest first, each reply right behind what it answers.

    A question that was asked during a reply has the lower position, and yet the reply is part of its history.
    """
    answered = aliased(Message)
    place = func.coalesce(answered.position, Message.position)
    earlier = session.scalars(
        select(Message)
        .outerjoin(Turn, Turn.assistant_message_id == Message.id)
        .outerjoin(answered, answered.id == Turn.user_message_id)
        .where(Message.conversation_id == question.conversation_id, place < question.position)
        .order_by(place.desc(), Message.position.desc())
        .limit(limit)
    )
    return list(reversed(earlier.all()))


def save_reply(session: Session, turn: Turn, message: Message, trace: dict[str, Any]) -> None:
    """Save the assistant's message of a turn and how it came about."""
    session.add(message)
    session.flush()
    turn.assistant_message_id = message.id
    session.merge(TurnTrace(turn_id=turn.id, trace=trace))


def as_event(message: Message) -> dict[str, Any]:
    """Return an assistant's message as the listeners of its turn get it, from the worker or from its row."""
    return {
        "id": str(message.id),
        "content": message.content,
        "thinking": message.thinking,
        "input_tokens": message.input_tokens,
        "output_tokens": message.output_tokens,
        "extra_data": message.extra_data,
    }


@work.on_end(Turn)
def ready_next(session: Session, turn: Turn) -> Iterable[str]:
    """Make the conversation's next turn ready: turns never overlap, and a failed one holds up nobody.

    What the turn added to the conversation may have made windows due.
    """
    conversations.lock(session, turn.conversation_id)
    following = session.scalars(_unfinished_query(turn.conversation_id).order_by(Turn.id).limit(1)).all()
    return work.make_ready(session, following) | memory.add_due_windows(session, turn.conversation_id)


def _unfinished_query(conversation_id: UUID) -> Select[Turn]:
    return select(Turn).where(Turn.conversation_id == conversation_id, Turn.status.not_in(TERMINAL))


def _unfinished(session: Session, conversation_id: UUID) -> bool:
    return session.scalar(select(_unfinished_query(conversation_id).exists())) or False


def others_unfinished(session: Session, turn: Turn) -> bool:
    """Say whether another turn of the conversation, which stays locked, is still to come or under way."""
    conversations.lock(session, turn.conversation_id)
    others = _unfinished_query(turn.conversation_id).where(Turn.id != turn.id)
    return session.scalar(select(others.exists())) or False


def _owned(scope: Scope) -> Select[Turn]:
    return (
        select(Turn)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Conversation.owner_id == scope.owner_id)
    )
