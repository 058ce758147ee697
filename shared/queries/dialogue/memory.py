"""Long memory: windows of messages that are due, and the memories that stand for them (seed 001)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, select, true
from sqlalchemy.orm import Session

from shared.domain import memory
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.memory import HEAD, Changes, Remembered, WindowRule
from shared.domain.prompt import Said
from shared.models import Conversation, ConversationMemory, MemoryWindow, Message, Persona
from shared.queries.dialogue import conversations
from shared.queries.rows import Slice, found, page
from shared.queries.scope import Scope
from shared.queries.work import engine, locks
from shared.settings import get_settings

_OF_CONVERSATION = MemoryWindow.conversation_id == bindparam("conversation_id")
_LAST = (
    select(MemoryWindow.sequence, MemoryWindow.last_position)
    .where(_OF_CONVERSATION)
    .order_by(MemoryWindow.sequence.desc())
    .limit(1)
    .subquery()
)
# The positions of messages that are in no window yet, each with the number of the last window.
UNCOMPRESSED = (
    select(Message.position, _LAST.c.sequence)
    .outerjoin(_LAST, true())
    .where(Message.conversation_id == bindparam("conversation_id"))
    .where(Message.position > func.coalesce(_LAST.c.last_position, 0))
    .order_by(Message.position)
)


def add_due_windows(session: Session, conversation_id: UUID) -> None:
    """Add every window that is due and not there yet, the first of them ready.

    The caller has locked the conversation, so that two who see the same messages add nothing twice.
    """
    rows = session.execute(UNCOMPRESSED, {"conversation_id": conversation_id}).all()
    due = memory.due([row.position for row in rows], rule(), last=rows[0].sequence if rows else None)
    if due:
        session.add_all(MemoryWindow(conversation_id=conversation_id, **window._asdict()) for window in due)
        session.flush()
        ready_first(session, conversation_id)


def rule() -> WindowRule:
    """Return the operator's rule for windows."""
    settings = get_settings()
    return WindowRule(settings.memory_start, settings.memory_size, settings.memory_head)


def ready_next(session: Session, window: MemoryWindow) -> None:
    """Make the conversation's next window ready: they are compressed in order, and a failed one holds up nobody.

    One whose messages were changed while it was being compressed is its own successor.
    """
    conversations.lock(session, window.conversation_id)
    saved = _memory_of(session, window)
    if window.status is RunStatus.COMPLETED and saved is not None and saved.is_stale and saved.model is not None:
        _reopen(session, [window.id])
    ready_first(session, window.conversation_id)


def _reopen(session: Session, ended: Sequence[int]) -> None:
    """Make windows due again that have ended, completed ones too; the caller has locked them."""
    reopened = engine.retry(session, MemoryWindow, ended, ready=False, states=TERMINAL)
    if reopened != len(ended):
        raise RuntimeError(f"{len(ended)} windows are due again, {reopened} could be reopened")


def ready_first(session: Session, conversation_id: UUID) -> None:
    """Make the first unfinished window of a conversation ready, which the caller has locked."""
    unfinished = _windows(conversation_id).where(MemoryWindow.status.not_in(TERMINAL))
    following = unfinished.order_by(MemoryWindow.sequence).limit(1)
    locks.make_ready(session, session.scalars(following, execution_options={"populate_existing": True}).all())


def stalled() -> Select[UUID]:
    """Select conversations whose windows wait for nothing."""
    return locks.stalled(MemoryWindow, MemoryWindow.conversation_id).where(locks.is_new(MemoryWindow))


def _windows(conversation_id: UUID) -> Select[MemoryWindow]:
    return select(MemoryWindow).where(MemoryWindow.conversation_id == conversation_id)


@dataclass(frozen=True)
class WindowContext:
    """What a memory is made from, as it was when the window was loaded."""

    persona_name: str | None
    provider_type: str | None
    lines: tuple[Said, ...]
    message_ids: tuple[str, ...]
    message_count: int
    changed_at: datetime | None


def load(session: Session, window: MemoryWindow) -> WindowContext:
    """Read a window's messages, oldest first."""
    conversation = session.get_one(Conversation, window.conversation_id)
    persona = session.get(Persona, conversation.persona_id) if conversation.persona_id else None
    messages = session.scalars(_messages(window).order_by(Message.position)).all()
    count = select(func.count()).where(Message.conversation_id == conversation.id)
    return WindowContext(
        persona_name=persona.name if persona else None,
        provider_type=conversation.provider_type,
        lines=tuple(Said(message.role.value, message.content) for message in messages),
        message_ids=tuple(str(message.id) for message in messages),
        message_count=session.scalar(count) or 0,
        changed_at=max((message.updated_at for message in messages), default=None),
    )


def _messages(window: MemoryWindow) -> Select[Message]:
    between = Message.position.between(window.first_position, window.last_position)
    return select(Message).where(Message.conversation_id == window.conversation_id, between)


def save(session: Session, window: MemoryWindow, context: WindowContext, text: str, model: str) -> None:
    """Save what a window was compressed to, in the place of what it was before; a person's words stay.

    Where its messages were all deleted there is no memory of them.
    """
    conversations.lock(session, window.conversation_id)
    before = _memory_of(session, window)
    if before is not None and before.model is None:
        return
    if text:
        _write(session, window, context, before, {"compressed_content": text, "model": model})
    elif before is not None:
        session.delete(before)
    session.flush()


def _memory_of(session: Session, window: MemoryWindow) -> ConversationMemory | None:
    return session.scalar(
        select(ConversationMemory).where(ConversationMemory.window_id == window.id).with_for_update(),
        execution_options={"populate_existing": True},
    )


def _write(
    session: Session,
    window: MemoryWindow,
    context: WindowContext,
    before: ConversationMemory | None,
    said: dict[str, str],
) -> None:
    session.merge(
        ConversationMemory(
            id=before.id if before else None,
            conversation_id=window.conversation_id,
            memory_sequence=before.memory_sequence if before else _free_sequence(session, window),
            original_message_range=window.message_range,
            message_count_at_compression=context.message_count,
            first_message_id=context.message_ids[0],
            message_ids=list(context.message_ids),
            window_id=window.id,
            is_head=window.sequence == HEAD,
            is_stale=_changed_since(session, window, context),
            **said,
        )
    )


def _free_sequence(session: Session, window: MemoryWindow) -> int:
    """Return the window's own place, so that one that is retried late stands where it belongs; else the next free."""
    mine = select(ConversationMemory.id).where(
        ConversationMemory.conversation_id == window.conversation_id,
        ConversationMemory.memory_sequence == window.sequence,
    )
    if session.scalar(mine) is None:
        return window.sequence
    return ConversationMemory.get_next_sequence_number(session, window.conversation_id)


def _changed_since(session: Session, window: MemoryWindow, context: WindowContext) -> bool:
    """Say whether a message was edited or deleted while the window was being compressed."""
    now = _messages(window).with_only_columns(func.count(), func.max(Message.updated_at))
    count, changed_at = session.execute(now).one()
    return (count, changed_at) != (len(context.message_ids), context.changed_at)


def recent(session: Session, conversation_id: UUID, limit: int) -> list[Remembered]:
    """Return the newest memories of a conversation, oldest first, as `domain.memory.as_text` takes them."""
    newest = ConversationMemory.get_recent_memories(session, conversation_id, limit)
    return [Remembered(row.original_message_range, row.compressed_content) for row in reversed(newest)]


def list_(
    session: Session, scope: Scope, conversation_id: UUID, *, limit: int, offset: int
) -> Slice[ConversationMemory]:
    """Return a conversation's memories, oldest first; raises NotFound."""
    mine = _mine(conversations.get(session, scope, conversation_id))
    return page(session, mine.order_by(ConversationMemory.memory_sequence), limit=limit, offset=offset)


def rewrite(session: Session, scope: Scope, conversation_id: UUID, memory_id: UUID, text: str) -> ConversationMemory:
    """Put a person's words in the place of a memory's; raises NotFound."""
    mine = _mine(conversations.get(session, scope, conversation_id))
    row = found(session.scalar(mine.where(ConversationMemory.id == memory_id)), "memory", memory_id)
    row.compressed_content, row.model, row.is_stale = text, None, False
    session.flush()
    return row


def clear(session: Session, scope: Scope, conversation_id: UUID) -> int:
    """Forget a conversation's memories and windows, which are then due again; return how many memories there were.

    A window that is being settled is waited for, and what it has written goes too.
    """
    conversation_id = conversations.get(session, scope, conversation_id).id
    _lock(session, conversation_id)
    session.execute(delete(MemoryWindow).where(MemoryWindow.conversation_id == conversation_id))
    return ConversationMemory.clear_all_memories(session, conversation_id)


def _forget(session: Session, conversation_id: UUID) -> None:
    """Delete a conversation's memories; its windows stay, ended, so that what was dealt with is not due again.

    Without a memory no edit reopens them, and what is being compressed now is refused.
    """
    _lock(session, conversation_id)
    unfinished = _windows(conversation_id).where(MemoryWindow.status.not_in(TERMINAL))
    engine.cancel_now(session, MemoryWindow, session.scalars(unfinished.with_only_columns(MemoryWindow.id)).all())
    ConversationMemory.clear_all_memories(session, conversation_id)


def _lock(session: Session, conversation_id: UUID) -> None:
    """Lock a conversation, and before it all of its windows: who settles one has it when it locks the conversation."""
    ids = _windows(conversation_id).with_only_columns(MemoryWindow.id)
    session.execute(ids.order_by(MemoryWindow.id).with_for_update())
    conversations.lock(session, conversation_id)


def change(session: Session, conversation_id: UUID | None, changes: Changes) -> None:
    """Do to a conversation's memory what scripts did to it in their run."""
    if conversation_id is None:
        return
    if changes.cleared:
        _forget(session, conversation_id)
    for new in changes.added:
        ConversationMemory.store_memory(
            session,
            conversation_id,
            new.text,
            new.message_range,
            new.message_count,
            new.first_message_id,
            id=new.id,
        )


def mark_stale(session: Session, conversation_id: UUID, message_id: UUID) -> None:
    """Note that a message of a memory is being edited or deleted, and make its window due again.

    The commit rings for it, once for all that are changed in one transaction. A person's words are not written anew.
    """
    conversations.lock(session, conversation_id)
    of_message = (
        select(ConversationMemory, MemoryWindow.id, MemoryWindow.status)
        .join(MemoryWindow, MemoryWindow.id == ConversationMemory.window_id)
        .where(ConversationMemory.conversation_id == conversation_id)
        .where(ConversationMemory.message_ids.contains([str(message_id)]))
    )
    # Skipped: what is being cleared, and what is being settled, which sees the change when it gets the conversation.
    free = of_message.with_for_update(skip_locked=True)
    stale = session.execute(free, execution_options={"populate_existing": True}).all()
    for row, *_ in stale:
        row.is_stale = True
    # One that has not ended reads its messages when it is compressed, or sees the change when it is settled.
    _reopen(session, [window_id for row, window_id, status in stale if row.model and status in TERMINAL])
    ready_first(session, conversation_id)


def _mine(conversation: Conversation) -> Select[ConversationMemory]:
    return select(ConversationMemory).where(ConversationMemory.conversation_id == conversation.id)
