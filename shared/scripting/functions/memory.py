"""What a conversation's memory holds; writing it is the memory service's."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db import get_session
from shared.domain.memory import as_text
from shared.models import ConversationMemory
from shared.queries import conversations, transcript
from shared.queries import memory as queries
from shared.scripting.context import Context
from shared.settings import get_settings

MOST_MEMORIES = 100


def get_recent_memories(context: Context, limit: int = 10) -> list[dict[str, Any]]:
    """Return the newest memories, newest first."""
    id = context.surroundings.conversation_id
    with get_session() as session:
        if id is None or conversations.find(session, context.surroundings.scope, id) is None:
            return []
        memories = ConversationMemory.get_recent_memories(session, id, min(max(limit, 0), MOST_MEMORIES))
        return [_as_object(memory) for memory in memories]


def get_memory_text(context: Context, limit: int = 10) -> str:
    """Return the newest memories as a text, oldest first, within the operator's cap for a prompt."""
    id = context.surroundings.conversation_id
    with get_session() as session:
        if id is None or conversations.find(session, context.surroundings.scope, id) is None:
            return ""
        memories = queries.recent(session, id, min(max(limit, 0), MOST_MEMORIES))
    return as_text(memories, get_settings().memory_prompt_tokens)


def get_memory_status(context: Context) -> dict[str, Any]:
    """Say how many messages and memories there are, and whether the next window of messages is full."""
    id = context.surroundings.conversation_id
    if id is None:
        return {}
    with get_session() as session:
        total = transcript.count(session, context.surroundings.scope, id, until=context.surroundings.until)
        memories, latest = _memories(session, id)
    first, last = queries.rule().spans(latest + 1)
    return {
        "conversation_id": str(id),
        "total_messages": total,
        "total_memories": memories,
        "latest_memory_sequence": latest,
        "buffer_window": f"{first}-{last}",
        "buffer_size": queries.rule().size,
        "buffer_ready_for_compression": total >= last,
        "has_sufficient_messages": total >= last,
    }


def _memories(session: Session, conversation_id: UUID) -> tuple[int, int]:
    sequence = ConversationMemory.memory_sequence
    mine = select(func.count(), func.coalesce(func.max(sequence), 0))
    count, latest = session.execute(mine.where(ConversationMemory.conversation_id == conversation_id)).one()
    return count, latest


def _as_object(memory: ConversationMemory) -> dict[str, Any]:
    return {
        "id": str(memory.id),
        "memory_sequence": memory.memory_sequence,
        "compressed_content": memory.compressed_content,
        "original_message_range": memory.original_message_range,
        "message_count_at_compression": memory.message_count_at_compression,
        "created_at": memory.created_at.isoformat(),
    }
