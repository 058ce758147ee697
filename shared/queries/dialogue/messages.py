"""Messages of conversations (seeds 001 and 003)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from shared.domain.conversation import MessageRole
from shared.domain.lifecycle import TERMINAL
from shared.errors import Conflict, Invalid
from shared.models import Conversation, Message, ModuleExecution, Turn
from shared.queries.dialogue import conversations, memory, transcript
from shared.queries.rows import Slice, found, page, removed
from shared.queries.scope import Scope
from shared.queries.work import locks


def find(session: Session, scope: Scope, message_id: UUID) -> Message | None:
    """Return the message, or None."""
    return session.scalar(_visible(scope).where(Message.id == message_id))


def get(session: Session, scope: Scope, message_id: UUID) -> Message:
    """Return the message; raises NotFound."""
    return found(find(session, scope, message_id), "message", message_id)


def list_(
    session: Session,
    scope: Scope,
    conversation_id: UUID,
    *,
    role: str | None = None,
    after: int | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Slice[Message]:
    """Return a conversation's messages, oldest first and replies behind their questions; of one role, where given.

    What was added `after` a position comes as it was added: a reply's place may be before what is known already.
    """
    statement = transcript.placed(scope, conversation_id)
    if role is not None:
        statement = statement.where(Message.role == role)
    if after is None:
        statement = statement.order_by(*transcript.ORDER)
    else:
        statement = statement.where(Message.position > after).order_by(Message.position)
    return page(session, statement, limit=limit, offset=offset)


def count(session: Session, scope: Scope, conversation_id: UUID, *, role: str | None = None) -> int:
    """Return how many messages a conversation has; of one role, where given."""
    mine = _visible(scope).where(Message.conversation_id == conversation_id)
    if role is not None:
        mine = mine.where(Message.role == role)
    return session.scalar(select(func.count()).select_from(mine.subquery())) or 0


def add(
    session: Session,
    scope: Scope,
    conversation_id: UUID,
    role: str,
    content: str,
    *,
    thinking: str | None = None,
    extra_data: dict[str, Any] | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
) -> Message:
    """Add a message at the end of a conversation, and the windows that it makes due, for which the commit rings.

    Raises NotFound for the conversation, Invalid for the role.
    """
    conversation = conversations.lock(session, conversation_id, scope)
    message = Message(
        conversation_id=conversation.id,
        role=_known(role),
        content=content,
        thinking=thinking,
        extra_data=extra_data,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )
    session.add(message)
    session.flush()
    memory.add_due_windows(session, conversation.id)
    return message


def add_many(session: Session, scope: Scope, conversation_id: UUID, given: Sequence[Mapping[str, Any]]) -> None:
    """Add messages in their order, by their columns, and the windows that they make due.

    Raises NotFound for the conversation.
    """
    conversation = conversations.lock(session, conversation_id, scope)
    for values in given:  # one by one: the order of rows of one INSERT is not that of their positions
        session.add(Message(conversation_id=conversation.id, **values))
        session.flush()
    memory.add_due_windows(session, conversation.id)


def update(session: Session, scope: Scope, message_id: UUID, values: Mapping[str, Any]) -> Message:
    """Change the given columns; memories of other words than are now said are made anew. Raises NotFound."""
    message = get(session, scope, message_id)
    if values.get("content", message.content) != message.content:
        memory.mark_stale(session, message.conversation_id, message.id)
    for column, value in values.items():
        setattr(message, column, value)
    session.flush()
    return message


def delete_(session: Session, scope: Scope, message_id: UUID) -> bool:
    """Delete a message, whose memories are made anew; say whether there was one.

    Raises Conflict while a turn answers it.
    """
    message = find(session, scope, message_id)
    if message is None:
        return False
    _lock_turns(session, message)
    answering = select(Turn.id).where(Turn.user_message_id == message.id, Turn.status.not_in(TERMINAL))
    if turn_id := session.scalar(answering.limit(1)):
        raise Conflict(f"turn {turn_id} is answering this message: cancel it first, or wait")
    memory.mark_stale(session, message.conversation_id, message.id)
    return removed(session, delete(Message).where(Message.id == message.id), of=message.id) > 0


def _lock_turns(session: Session, message: Message) -> None:
    """Lock the turns that a message belongs to and the runs that follow them, then their conversation."""
    mine = select(Turn.id).where(or_(Turn.user_message_id == message.id, Turn.assistant_message_id == message.id))
    following = select(ModuleExecution.id).where(ModuleExecution.turn_id.in_(mine))
    locks.lock_work_then(session, [following, mine], lambda: conversations.lock(session, message.conversation_id))


def _visible(scope: Scope) -> Select[Message]:
    return select(Message).join(Message.conversation).where(Conversation.owner_id == scope.owner_id)


def _known(role: str) -> MessageRole:
    try:
        return MessageRole(role)
    except ValueError:
        raise Invalid(f"a message is from the user, the assistant or the system, not from {role}") from None
