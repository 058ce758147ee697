"""Turns: one after the other in a conversation, each a reply to one message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.conversation import ConversationStatus, MessageRole, ReplyOptions
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.memory import UNCHANGED, Changes
from shared.domain.tokens import count_roughly
from shared.domain.trace import Trace
from shared.errors import Conflict, Invalid, NotFound
from shared.logs import Correlation
from shared.models import Conversation, Message, Module, ModuleExecution, Persona, Turn, TurnTrace
from shared.queries.dialogue import conversations, executions, memory, transcript
from shared.queries.knowledge import chunks
from shared.queries.personas import modules
from shared.queries.scope import Scope
from shared.queries.work import locks
from shared.settings import get_settings

NEEDS_PASSAGES: Final = "needs_passages"
# Statements of every turn are built once: building one costs as much as running it.
BACKGROUND = (
    select(
        Conversation,
        Persona,
        Message,
        executions.UNFINISHED_EARLIER,
        chunks.HAS_READ,
    )
    .join(Persona, Persona.id == Conversation.persona_id)
    .join(Message, Message.id == bindparam("message_id"))
    .where(Conversation.id == bindparam("conversation_id"))
)
UNFINISHED = (Turn.conversation_id == bindparam("conversation_id"), Turn.status.not_in(TERMINAL))
MUST_WAIT = select(or_(exists().where(*UNFINISHED), executions.HOLDING_UP))
_FREE = (
    select(Conversation.id).where(Conversation.id == bindparam("id")).with_for_update(key_share=True, skip_locked=True)
)
NEXT = select(Turn).where(*UNFINISHED, ~executions.HOLDING_UP).order_by(Turn.id).limit(1)


def add(
    session: Session,
    scope: Scope,
    conversation_id: UUID,
    content: str,
    *,
    options: ReplyOptions | None = None,
    meta: Correlation | None = None,
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
    options: ReplyOptions
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
    trace: Trace,
    *,
    then: Mapping[UUID, int] | None = None,
    changes: Changes = UNCHANGED,
) -> None:
    """Save the assistant's message of a turn, how it came about, and the modules to run `then`, with their stages.

    Once it has completed, also what the scripts before the reply did to the conversation's memory: first, because
    windows are locked before their conversation. That is locked before the message has its place, or an import could
    make windows that end just before and begin just behind it.
    """
    if turn.status is RunStatus.COMPLETED:
        memory.change(session, turn.conversation_id, changes)
    conversations.lock(session, turn.conversation_id)
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


def end_of(message: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what listeners are told when a turn has ended: why the reply did, where it is known."""
    kept = (message or {}).get("extra_data") or {}
    return {"finish_reason": kept["finish_reason"]} if kept.get("finish_reason") else {}


def ready_modules_or_next(session: Session, turn: Turn) -> None:
    """Make what follows a turn ready: its modules, or the next turn; turns never overlap, and none holds up another.

    What the turn added to the conversation may have made windows due.
    """
    conversations.lock(session, turn.conversation_id)
    if not executions.ready_lowest(session, turn.id):
        _ready_next(session, turn.conversation_id)
    memory.add_due_windows(session, turn.conversation_id)


def ready_stage_or_next(session: Session, row: ModuleExecution) -> None:
    """Make what follows a module's run ready: the next stage when the last of this one ended, then the next turn."""
    if row.turn_id is None or row.conversation_id is None:
        return
    conversations.lock(session, row.conversation_id)
    if row.status is not RunStatus.COMPLETED:
        executions.add_failure(session, row)
    if not executions.ready_lowest(session, row.turn_id):
        _ready_next(session, row.conversation_id)


def ready_stalled(session: Session) -> None:
    """Make turns, modules and windows ready that wait for nothing.

    Their predecessor's modules took too long, it went without an end of its own, or whoever held them gave up.
    """
    for conversation_id in session.scalars(locks.stalled(Turn, Turn.conversation_id)).all():
        if _is_free(session, conversation_id):
            _ready_next(session, conversation_id)
    for turn_id, conversation_id in session.execute(executions.stalled()).all():
        if _is_free(session, conversation_id):
            executions.ready_lowest(session, turn_id)
    for conversation_id in session.scalars(memory.stalled()).all():
        if _is_free(session, conversation_id):
            memory.ready_first(session, conversation_id)


def _is_free(session: Session, conversation_id: UUID) -> bool:
    """Lock a conversation unless another holds it, who may do what we are about to, or wait for one we hold."""
    return session.scalar(_FREE, {"id": conversation_id}) is not None


def _ready_next(session: Session, conversation_id: UUID) -> None:
    locks.make_ready(session, session.scalars(NEXT, _waiting(conversation_id)).all())


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
