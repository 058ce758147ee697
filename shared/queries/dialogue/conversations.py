"""Conversations (seeds 001 and 003)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from shared.domain.conversation import ConversationStatus, MessageRole
from shared.errors import Invalid
from shared.models import Conversation, MemoryWindow, Message, ModuleExecution, Persona, Turn
from shared.queries.accounts import users
from shared.queries.personas import personas
from shared.queries.rows import Slice, found, page, removed
from shared.queries.scope import Scope, owned, owner_of
from shared.queries.work import locks

LONGEST_PROVIDER = 50
# Not FOR UPDATE: every message that names the conversation holds its key share already.
LOCK = select(Conversation).where(Conversation.id == bindparam("id")).with_for_update(key_share=True)
LOCK_OWNED = LOCK.where(Conversation.owner_id == bindparam("owner_id"))


def find(session: Session, scope: Scope, conversation_id: UUID) -> Conversation | None:
    """Return the conversation, or None."""
    return session.scalar(owned(Conversation, scope).where(Conversation.id == conversation_id))


def get(session: Session, scope: Scope, conversation_id: UUID) -> Conversation:
    """Return the conversation; raises NotFound."""
    return found(find(session, scope, conversation_id), "conversation", conversation_id)


def lock(session: Session, conversation_id: UUID, scope: Scope | None = None) -> Conversation:
    """Return a conversation, whose turns and windows nobody else adds or readies until the commit; raises NotFound."""
    statement = LOCK if scope is None else LOCK_OWNED
    conversation = session.scalar(statement, {"id": conversation_id, "owner_id": scope and scope.owner_id})
    return found(conversation, "conversation", conversation_id)


def lock_of(session: Session, rows: Sequence[Turn | ModuleExecution | MemoryWindow]) -> None:
    """Lock the conversations of several rows of work, in one order."""
    mine = select(Conversation.id).where(Conversation.id.in_([row.conversation_id for row in rows]))
    session.execute(mine.order_by(Conversation.id).with_for_update(key_share=True))


def list_(
    session: Session,
    scope: Scope,
    *,
    user_id: UUID | None = None,
    persona_id: UUID | None = None,
    status: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Slice[Conversation]:
    """Return conversations, newest first; of a user, a persona or a status where these are given."""
    statement = owned(Conversation, scope).order_by(Conversation.created_at.desc(), Conversation.id)
    filters = {Conversation.user_id: user_id, Conversation.persona_id: persona_id, Conversation.status: status}
    for column, value in filters.items():
        if value is not None:
            statement = statement.where(column == value)
    return page(session, statement, limit=limit, offset=offset)


def add(
    session: Session,
    scope: Scope,
    *,
    persona_id: UUID | None = None,
    user_id: UUID | None = None,
    title: str | None = None,
    status: str = ConversationStatus.ACTIVE,
    provider_type: str | None = None,
) -> Conversation:
    """Begin a conversation, with the persona's first message where it has one; raises NotFound, Invalid.

    Without a provider type it is the one that the persona asks for, else the configured model.
    """
    persona = personas.get(session, scope, persona_id) if persona_id is not None else None
    if user_id is not None:
        users.get(session, scope, user_id)
    conversation = Conversation(
        **owner_of(scope),
        persona_id=persona_id,
        user_id=user_id,
        title=title,
        status=_known(status),
        provider_type=provider_type or _provider_of(persona),
    )
    session.add(conversation)
    if persona is not None and (persona.first_message or "").strip():
        conversation.messages.append(Message(role=MessageRole.ASSISTANT, content=persona.first_message))
    session.flush()
    return conversation


def _provider_of(persona: Persona | None) -> str | None:
    """Return the provider type that a persona's `extra_data` asks for."""
    asked = persona.extra_data.get("provider_type") if persona is not None and persona.extra_data else None
    return asked[:LONGEST_PROVIDER] if isinstance(asked, str) else None


def update(
    session: Session, scope: Scope, conversation_id: UUID, *, title: str | None = None, status: str | None = None
) -> Conversation | None:
    """Change what is given and return the conversation, or None where there is none; raises Invalid."""
    conversation = find(session, scope, conversation_id)
    if conversation is None:
        return None
    conversation.title = conversation.title if title is None else title
    conversation.status = conversation.status if status is None else _known(status)
    session.flush()
    return conversation


def archive(session: Session, scope: Scope, conversation_id: UUID) -> Conversation | None:
    """Put a conversation away and return it, or None where there is none."""
    return update(session, scope, conversation_id, status=ConversationStatus.ARCHIVED)


def delete_(session: Session, scope: Scope, conversation_id: UUID) -> bool:
    """Delete a conversation with its messages, turns, states and memories; say whether there was one."""
    mine = owned(Conversation, scope).where(Conversation.id == conversation_id).with_only_columns(Conversation.id)
    locks.lock_conversations(session, mine)
    return removed(session, delete(Conversation).where(Conversation.id.in_(mine)), of=conversation_id) > 0


def _known(status: str) -> ConversationStatus:
    try:
        return ConversationStatus(status)
    except ValueError:
        raise Invalid(f"a conversation is active or archived, not {status}") from None
