"""What was said in a conversation, as a turn of it sees it: each reply right behind what it answers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from shared.models import Conversation, Message, Turn
from shared.queries.scope import Scope

_ANSWERED = aliased(Message)
# A question that was asked during a reply has the lower position, and yet the reply was there before it.
PLACE = func.coalesce(_ANSWERED.position, Message.position)
ORDER = (PLACE, Message.position)
ANSWERS = (
    select(Message)
    .outerjoin(Turn, Turn.assistant_message_id == Message.id)
    .outerjoin(_ANSWERED, _ANSWERED.id == Turn.user_message_id)
)
# Built once: building it costs as much as running it.
BEFORE = (
    ANSWERS.where(Message.conversation_id == bindparam("conversation_id"), bindparam("position") > PLACE)
    .order_by(*(column.desc() for column in ORDER))
    .limit(bindparam("limit"))
)


def count(session: Session, scope: Scope, conversation_id: UUID, *, until: int | None = None) -> int:
    """Return how many messages there are, up to the question at position `until` and its reply."""
    found = placed(scope, conversation_id, until).with_only_columns(func.count())
    return session.scalar(found) or 0


def span(
    session: Session, scope: Scope, conversation_id: UUID, *, offset: int, limit: int, until: int | None = None
) -> Sequence[Message]:
    """Return `limit` messages from the one at `offset` on, oldest first."""
    found = placed(scope, conversation_id, until).order_by(*ORDER)
    return session.scalars(found.offset(offset).limit(limit)).all()


def recent(
    session: Session, scope: Scope, conversation_id: UUID, *, limit: int, until: int | None = None
) -> Sequence[Message]:
    """Return the last `limit` messages, oldest first."""
    newest_first = [column.desc() for column in ORDER]
    found = placed(scope, conversation_id, until).order_by(*newest_first)
    return session.scalars(found.limit(limit)).all()[::-1]


def before(session: Session, question: Message, *, limit: int) -> Sequence[Message]:
    """Return up to `limit` messages before a question, oldest first."""
    given = {"conversation_id": question.conversation_id, "position": question.position, "limit": limit}
    return session.scalars(BEFORE, given).all()[::-1]


def placed(scope: Scope, conversation_id: UUID, until: int | None = None) -> Select[Any]:
    """Select the messages of a conversation, up to the question at position `until` and its reply; see `ORDER`."""
    mine: list[ColumnElement[bool]] = [
        Message.conversation_id == conversation_id,
        Conversation.owner_id == scope.owner_id,
    ]
    if until is not None:
        mine.append(until >= PLACE)
    return ANSWERS.join(Conversation, Conversation.id == Message.conversation_id).where(*mine)
