"""The conversation, as the turn of the run sees it."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from shared.db import get_session
from shared.models import Conversation, Message
from shared.queries.dialogue import conversations, transcript
from shared.queries.personas import personas
from shared.scripting.context import Context

MOST_MESSAGES = 200
LARGEST_OFFSET = 2**31 - 1
NOTHING_SAID = "No messages yet."
PREVIEW = 100


def get_message_count(context: Context, conversation_id: str | None = None) -> int:
    """Count the messages so far."""
    id = context.conversation(conversation_id)
    if id is None:
        return 0
    with get_session() as session:
        return transcript.count(session, context.surroundings.scope, id, until=_until(context, id))


def get_recent_messages(context: Context, limit: int = 5, conversation_id: str | None = None) -> str:
    """Return the last messages as lines `[HH:MM] Role: content`, oldest first."""
    return _lines(_recent(context, limit, conversation_id))


def get_raw_recent_messages(
    context: Context, limit: int = 10, conversation_id: str | None = None
) -> list[dict[str, Any]]:
    """Return the last messages as objects, oldest first."""
    return [_as_object(message) for message in _recent(context, limit, conversation_id)]


def get_conversation_history(
    context: Context, limit: int = 50, offset: int = 0, conversation_id: str | None = None
) -> list[dict[str, Any]]:
    """Return messages from the start of the conversation as objects."""
    return [_as_object(message) for message in _span(context, offset, limit, conversation_id)]


def get_message_range(
    context: Context, start: int = 0, end: int | None = None, conversation_id: str | None = None
) -> str:
    """Return messages `start` to `end`, that one not included and both from 0, as lines."""
    limit = MOST_MESSAGES if end is None else end - start
    return _lines(_span(context, start, limit, conversation_id))


def get_buffer_messages(
    context: Context, start_index: int = 25, end_index: int = 35, conversation_id: str | None = None
) -> list[dict[str, Any]]:
    """Return messages `start_index` to `end_index`, both included and counted from 0, as objects."""
    limit = end_index - start_index + 1
    return [_as_object(message) for message in _span(context, start_index, limit, conversation_id)]


def get_conversation_summary(context: Context, conversation_id: str | None = None) -> dict[str, Any]:
    """Say what conversation this is: title, persona, messages, model, times."""

    def read(session: Session, id: UUID) -> dict[str, Any]:
        scope = context.surroundings.scope
        conversation = conversations.find(session, scope, id)
        if conversation is None:
            return {}
        messages = transcript.count(session, scope, id, until=_until(context, id))
        return _summary(session, conversation) | {"message_count": messages}

    return _read(context, conversation_id, read, {})  # type: ignore[no-any-return]


def get_persona_info(context: Context, persona_id: str | None = None) -> dict[str, Any]:
    """Say which persona this is: name, description, template."""
    id = UUID(persona_id) if persona_id else context.surroundings.persona_id
    with get_session() as session:
        persona = personas.find(session, context.surroundings.scope, id) if id else None
    if persona is None:
        return {}
    return {
        "id": str(persona.id),
        "name": persona.name,
        "description": persona.description,
        "template": persona.template,
        "is_active": persona.is_active,
        "created_at": persona.created_at.isoformat(),
        "updated_at": persona.updated_at.isoformat(),
    }


def _summary(session: Session, conversation: Conversation) -> dict[str, Any]:
    persona = conversation.persona
    return {
        "id": str(conversation.id),
        "title": conversation.title,
        "persona_name": persona.name if persona else None,
        "persona_id": str(persona.id) if persona else None,
        "provider": conversation.provider_type,
        "model": (conversation.provider_config or {}).get("model"),
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }


def _read(context: Context, conversation_id: str | None, read: Callable[[Session, UUID], Any], otherwise: Any) -> Any:
    id = context.conversation(conversation_id)
    if id is None:
        return otherwise
    with get_session() as session:
        return read(session, id)


def _recent(context: Context, limit: int, conversation_id: str | None) -> Sequence[Message]:
    def read(session: Session, id: UUID) -> Sequence[Message]:
        scope = context.surroundings.scope
        return transcript.recent(session, scope, id, limit=_capped(limit), until=_until(context, id))

    return _read(context, conversation_id, read, [])  # type: ignore[no-any-return]


def _span(context: Context, offset: int, limit: int, conversation_id: str | None) -> Sequence[Message]:
    def read(session: Session, id: UUID) -> Sequence[Message]:
        scope, until = context.surroundings.scope, _until(context, id)
        first = min(max(int(offset), 0), LARGEST_OFFSET)
        return transcript.span(session, scope, id, offset=first, limit=_capped(limit), until=until)

    return _read(context, conversation_id, read, [])  # type: ignore[no-any-return]


def _until(context: Context, conversation_id: UUID) -> int | None:
    surroundings = context.surroundings
    return surroundings.until if conversation_id == surroundings.conversation_id else None


def _capped(limit: int) -> int:
    return min(max(int(limit), 0), MOST_MESSAGES)


def _lines(messages: Sequence[Message]) -> str:
    return "\n".join(map(_line, messages)) or NOTHING_SAID


def _line(message: Message) -> str:
    return f"[{message.created_at:%H:%M}] {message.role.value.capitalize()}: {' '.join(message.content.split())}"


def _as_object(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "role": message.role.value,
        "content": message.content,
        "thinking": message.thinking,
        "created_at": message.created_at.isoformat(),
        "input_tokens": message.input_tokens,
        "output_tokens": message.output_tokens,
        "preview": message.content[:PREVIEW],
    }
