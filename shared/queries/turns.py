"""Turns: one after the other in a conversation, each a reply to one message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from shared.domain.conversation import ConversationStatus, MessageRole
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.errors import Conflict, Invalid, NotFound
from shared.models import Conversation, Message, Module, ModuleExecution, Persona, Turn, TurnTrace
from shared.models.turns import BLOCKED
from shared.queries import conversations, executions, memory, modules, transcript, work
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

    Raises NotFound for a conversation of somebody else, Invalid for one without a persona, Conflict for an archived
    one.
    """
    conversation = conversations.lock(session, conversation_id, scope)
    if conversation.persona_id is None:
        raise Invalid("the conversation has no persona that could answer: set persona_id first")
    if conversation.status is ConversationStatus.ARCHIVED:
        raise Conflict("the conversation is archived: set its status to active first")
    message = Message(conversation_id=conversation.id, role=MessageRole.USER, content=content)
    session.add(message)
    session.flush()
    turn = Turn(
        conversation_id=conversation.id,
        user_message_id=message.id,
        options=options or {},
        status_meta=meta or {},
        ready_at=None if _must_wait(session, conversation.id) else func.clock_timestamp(),
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
    position: int
    history: tuple[tuple[str, str], ...]
    provider_type: str | None
    provider_config: dict[str, Any]
    options: dict[str, Any]
    modules: dict[str, Module]
    states: dict[UUID, dict[str, Any]]
    state_is_stale: bool


def load(session: Session, turn: Turn, *, history: int) -> TurnContext:
    """Read a turn's conversation, persona with its modules, question and up to `history` earlier messages."""
    conversation = session.get_one(Conversation, turn.conversation_id)
    persona = session.get_one(Persona, conversation.persona_id)
    question = session.get_one(Message, turn.user_message_id)
    scope = Scope(conversation.owner_id)
    before = transcript.before(session, question, limit=history)
    return TurnContext(
        turn_id=turn.id,
        fence=turn.fence,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        persona=persona,
        question=question.content,
        position=question.position,
        history=tuple((said.role.value, said.content) for said in before),
        provider_type=conversation.provider_type,
        provider_config=conversation.provider_config or {},
        options=turn.options,
        modules=modules.referred_to(session, scope, persona.template),
        states=executions.states(session, conversation.id),
        state_is_stale=executions.are_stale(session, turn),
    )


def save_reply(
    session: Session,
    turn: Turn,
    message: Message,
    trace: dict[str, Any],
    *,
    then: Mapping[UUID, int] | None = None,
) -> None:
    """Save the assistant's message of a turn, how it came about, and the modules to run `then`, with their stages."""
    if turn.assistant_message_id is not None:  # the partial reply of an attempt that was cancelled and tried again
        memory.mark_stale(session, turn.conversation_id, turn.assistant_message_id)
        session.execute(delete(Message).where(Message.id == turn.assistant_message_id))
    if message.content or turn.status is RunStatus.COMPLETED:  # a cancel before the first word leaves no message
        session.add(message)
        session.flush()
        turn.assistant_message_id = message.id
    session.merge(TurnTrace(turn_id=turn.id, trace=trace))
    if then and turn.status is RunStatus.COMPLETED:
        executions.add(session, turn, then)


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
def ready_modules_or_next(session: Session, turn: Turn) -> Iterable[str]:
    """Make what follows a turn ready: its modules, or the next turn; turns never overlap, and none holds up another.

    What the turn added to the conversation may have made windows due.
    """
    conversations.lock(session, turn.conversation_id)
    following = executions.ready_lowest(session, turn.id) or _ready_next(session, turn.conversation_id)
    return following | memory.add_due_windows(session, turn.conversation_id)


@work.on_end(ModuleExecution)
def ready_stage_or_next(session: Session, row: ModuleExecution) -> Iterable[str]:
    """Make what follows a module's run ready: the next stage when the last of this one ended, then the next turn."""
    if row.turn_id is None or row.conversation_id is None:
        return set()
    conversations.lock(session, row.conversation_id)
    if row.status is not RunStatus.COMPLETED:
        executions.add_failure(session, row)
    return executions.ready_lowest(session, row.turn_id) or _ready_next(session, row.conversation_id)


def ready_stalled(session: Session) -> set[str]:
    """Make turns ready that wait for nothing; return their queues.

    Their predecessor's modules took too long, or it went without an end of its own.
    """
    queues: set[str] = set()
    for conversation_id in session.scalars(_stalled_conversations()).all():
        conversations.lock(session, conversation_id)
        queues |= _ready_next(session, conversation_id)
    return queues


def _stalled_conversations() -> Select[UUID]:
    """Select conversations in which turns are blocked and none is ready, under way or in backoff."""
    other = aliased(Turn)
    alive = or_(
        other.status.in_((RunStatus.RUNNING, RunStatus.ERROR)),
        and_(other.status == RunStatus.PENDING, other.ready_at.is_not(None)),
    )
    beside = select(other.id).where(other.conversation_id == Turn.conversation_id, alive)
    blocked = select(Turn.conversation_id).where(text(BLOCKED), ~beside.exists())
    return blocked.distinct().limit(100)


def _ready_next(session: Session, conversation_id: UUID) -> set[str]:
    if executions.hold_up(session, conversation_id):
        return set()
    following = session.scalars(_unfinished_query(conversation_id).order_by(Turn.id).limit(1)).all()
    return work.make_ready(session, following)


def _must_wait(session: Session, conversation_id: UUID) -> bool:
    return _unfinished(session, conversation_id) or executions.hold_up(session, conversation_id)


def _unfinished_query(conversation_id: UUID) -> Select[Turn]:
    return select(Turn).where(Turn.conversation_id == conversation_id, Turn.status.not_in(TERMINAL))


def _unfinished(session: Session, conversation_id: UUID) -> bool:
    return session.scalar(select(_unfinished_query(conversation_id).exists())) or False


def others_alive(session: Session, turn: Turn) -> bool:
    """Say whether another turn of the conversation, which stays locked, is ready, under way or in backoff."""
    conversations.lock(session, turn.conversation_id)
    others = _unfinished_query(turn.conversation_id).where(Turn.id != turn.id)
    waits = and_(Turn.status == RunStatus.PENDING, Turn.ready_at.is_(None))
    return session.scalar(select(others.where(~waits).exists())) or False


def _owned(scope: Scope) -> Select[Turn]:
    return (
        select(Turn)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Conversation.owner_id == scope.owner_id)
    )
