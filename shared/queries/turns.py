"""Turns: one after the other in a conversation, each a reply to one message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, delete, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from shared.domain.conversation import ConversationStatus, MessageRole
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.memory import UNCHANGED, Changes
from shared.domain.tokens import count_roughly
from shared.errors import Conflict, Invalid, NotFound
from shared.models import Conversation, Message, Module, ModuleExecution, Persona, Turn, TurnTrace
from shared.models.turns import BLOCKED
from shared.queries import conversations, endings, executions, knowledge, memory, modules, transcript, work
from shared.queries.scope import Scope
from shared.settings import get_settings

NEEDS_PASSAGES = "needs_passages"  # an option: no model is asked where nothing was found about the question
# Statements of every turn are built once: building one costs as much as running it.
BACKGROUND = (
    select(
        Conversation,
        Persona,
        Message,
        executions.UNFINISHED_EARLIER,
        knowledge.HAS_READ,
    )
    .join(Persona, Persona.id == Conversation.persona_id)
    .join(Message, Message.id == bindparam("message_id"))
    .where(Conversation.id == bindparam("conversation_id"))
)
UNFINISHED = (Turn.conversation_id == bindparam("conversation_id"), Turn.status.not_in(TERMINAL))
MUST_WAIT = select(or_(exists().where(*UNFINISHED), executions.HOLDING_UP))
NEXT = select(Turn).where(*UNFINISHED, ~executions.HOLDING_UP).order_by(Turn.id).limit(1)


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
    tokens = count_roughly(content)  # a provider tells those of the whole prompt, with the reply
    message = Message(conversation_id=conversation.id, role=MessageRole.USER, content=content, input_tokens=tokens)
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
    has_read: bool  # whether the persona has passages to recall


def load(session: Session, turn: Turn, *, history: int) -> TurnContext:
    """Read a turn's conversation, persona with its modules, question and up to `history` earlier messages."""
    given = {"conversation_id": turn.conversation_id, "message_id": turn.user_message_id, "turn_id": turn.id}
    conversation, persona, question, is_stale, has_read = session.execute(BACKGROUND, given).one()
    known = modules.referred_to(session, Scope(conversation.owner_id), persona.template)
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
        modules=known,
        states=executions.states(session, conversation.id) if known else {},
        state_is_stale=is_stale,
        has_read=has_read,
    )


def save_reply(
    session: Session,
    turn: Turn,
    message: Message,
    trace: dict[str, Any],
    *,
    then: Mapping[UUID, int] | None = None,
    changes: Changes = UNCHANGED,
) -> None:
    """Save the assistant's message of a turn, how it came about, and the modules to run `then`, with their stages.

    Once it has completed, also what the scripts before the reply did to the conversation's memory: first, because
    windows are locked before their conversation.
    """
    if turn.status is RunStatus.COMPLETED:
        memory.change(session, turn.conversation_id, changes)
    if turn.assistant_message_id is not None:  # the partial reply of an attempt that was cancelled and tried again
        memory.mark_stale(session, turn.conversation_id, turn.assistant_message_id)
        session.execute(delete(Message).where(Message.id == turn.assistant_message_id))
    if message.content or turn.status is RunStatus.COMPLETED:  # a cancel before the first word leaves no message
        session.add(message)
        session.flush()
        turn.assistant_message_id = message.id
    kept = insert(TurnTrace).values(turn_id=turn.id, trace=trace)
    session.execute(kept.on_conflict_do_update(index_elements=[TurnTrace.turn_id], set_={"trace": kept.excluded.trace}))
    if then and turn.status is RunStatus.COMPLETED and turn.cancel_requested_at is None:
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


@endings.on_end(Turn)
def ready_modules_or_next(session: Session, turn: Turn) -> Iterable[str]:
    """Make what follows a turn ready: its modules, or the next turn; turns never overlap, and none holds up another.

    What the turn added to the conversation may have made windows due.
    """
    conversations.lock(session, turn.conversation_id)
    following = executions.ready_lowest(session, turn.id) or _ready_next(session, turn.conversation_id)
    return following | memory.add_due_windows(session, turn.conversation_id)


@endings.on_end(ModuleExecution)
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
    return work.make_ready(session, session.scalars(NEXT, _waiting(conversation_id)).all())


def _must_wait(session: Session, conversation_id: UUID) -> bool:
    return session.scalar(MUST_WAIT, _waiting(conversation_id)) or False


def _waiting(conversation_id: UUID) -> dict[str, Any]:
    return {"conversation_id": conversation_id, "wait": get_settings().post_response_wait}


def others_alive(session: Session, turn: Turn) -> bool:
    """Say whether another turn of the conversation, which stays locked, is ready, under way or in backoff."""
    conversations.lock(session, turn.conversation_id)
    waits = and_(Turn.status == RunStatus.PENDING, Turn.ready_at.is_(None))
    others = exists().where(*UNFINISHED, Turn.id != turn.id, ~waits)
    return session.scalar(select(others), {"conversation_id": turn.conversation_id}) or False


def _owned(scope: Scope) -> Select[Turn]:
    return (
        select(Turn)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .where(Conversation.owner_id == scope.owner_id)
    )
