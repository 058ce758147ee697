"""What a conversation's memory holds, and changes to it, which are written when the work of the run is settled."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db import get_session
from shared.domain.memory import UNCHANGED, Changes, NewMemory, Remembered, as_text
from shared.models import ConversationMemory
from shared.queries.dialogue import conversations
from shared.queries.dialogue import memory as queries
from shared.scripting.context import Context
from shared.scripting.functions import conversation
from shared.settings import get_settings

QUOTAS = {"store_memory": 20}  # calls in one run
MOST_MEMORIES = 100
MOST_IDS = 1000
LONGEST_MEMORY = 20_000  # characters
LONGEST_RANGE = 20
LONGEST_ID = 100
NO_CONVERSATION = {"error": "there is no conversation of this run's"}


def get_recent_memories(context: Context, limit: int = 10, conversation_id: str | None = None) -> list[dict[str, Any]]:
    """Return the newest memories, newest first."""
    changes, most = _changes(context, conversation_id), _capped(limit)
    with get_session() as session:
        id = _mine(session, context, conversation_id)
        if id is None:
            return []
        kept = [] if changes.cleared else ConversationMemory.get_recent_memories(session, id, most)
        _, last = _numbers(session, id, changes)
        found = [_as_object(memory) for memory in kept]
    numbered = enumerate(changes.added, last - len(changes.added) + 1)
    new = [_new_as_object(context, memory, number) for number, memory in numbered]
    return [*new[::-1], *found][:most]


def get_memory_text(context: Context, limit: int = 10, conversation_id: str | None = None) -> str:
    """Return the newest memories as a text, oldest first, within the operator's cap for a prompt."""
    changes, most = _changes(context, conversation_id), _capped(limit)
    with get_session() as session:
        id = _mine(session, context, conversation_id)
        if id is None or most == 0:
            return ""
        kept = [] if changes.cleared else queries.recent(session, id, most)
    new = [Remembered(memory.message_range, memory.text) for memory in changes.added]
    return as_text([*kept, *new][-most:], get_settings().memory_prompt_tokens)


def get_memory_status(context: Context, conversation_id: str | None = None) -> dict[str, Any]:
    """Say how many messages and memories there are, and whether the next window of messages is full."""
    with get_session() as session:
        id = _mine(session, context, conversation_id)
        if id is None:
            return {}
        memories, latest = _numbers(session, id, _changes(context, conversation_id))
    total = conversation.get_message_count(context, conversation_id)
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


def should_compress_buffer(
    context: Context,
    buffer_size: int = 11,
    min_total_messages: int | None = None,
    conversation_id: str | None = None,
) -> bool:
    """Say whether there are enough messages to compress a buffer: by default five more than it holds."""
    least = buffer_size + 5 if min_total_messages is None else min_total_messages
    return conversation.get_message_count(context, conversation_id) >= least


def should_compress_buffer_by_ids(context: Context, ids: list[str], conversation_id: str | None = None) -> bool:
    """Say whether no memory begins with one of these messages."""
    changes, given = _changes(context, conversation_id), [str(id) for id in ids[:MOST_IDS]]
    if any(memory.first_message_id in given for memory in changes.added):
        return False
    with get_session() as session:
        id = _mine(session, context, conversation_id)
        begins = (ConversationMemory.conversation_id == id, ConversationMemory.first_message_id.in_(given))
        there = session.scalar(select(ConversationMemory.id).where(*begins).limit(1))
    return id is not None and (changes.cleared or there is None)


def store_memory(
    context: Context,
    compressed_content: str,
    message_range: str = "25-35",
    total_messages: int | None = None,
    first_message_id: str | None = None,
    conversation_id: str | None = None,
) -> dict[str, Any]:
    """Add a memory to the run's own conversation; return its id and number, or an error."""
    id = _own(context, conversation_id)
    if id is None:
        return NO_CONVERSATION
    total = conversation.get_message_count(context) if total_messages is None else total_messages
    first = None if first_message_id is None else str(first_message_id)
    text = str(compressed_content).strip()[:LONGEST_MEMORY]
    new = NewMemory(uuid4(), text, str(message_range), int(total), first)
    if error := _unfit(new):
        return {"error": error}
    context.changes = context.changes.adding(new)
    with get_session() as session:
        _, sequence = _numbers(session, id, context.changes)
    told = {"memory_id": str(new.id), "memory_sequence": sequence}
    return {"success": True, **told, "message_range": new.message_range, "total_messages": new.message_count}


def clear_memories(context: Context, conversation_id: str | None = None) -> dict[str, Any]:
    """Forget all memories of the run's own conversation; return how many, or an error."""
    id = _own(context, conversation_id)
    if id is None:
        return NO_CONVERSATION
    with get_session() as session:
        count, _ = _numbers(session, id, context.changes)
    context.changes = Changes(cleared=True)
    return {"success": True, "deleted_count": count}


def _unfit(new: NewMemory) -> str | None:
    """Say why a memory cannot be stored."""
    if not new.text:
        return "a memory must say something"
    if len(new.message_range) > LONGEST_RANGE or len(new.first_message_id or "") > LONGEST_ID:
        return f"a range may have {LONGEST_RANGE} characters, an id {LONGEST_ID}"
    if not 0 < new.message_count < 2**31:
        return "there are no messages that a memory could stand for"
    return None


def _mine(session: Session, context: Context, given: str | None) -> UUID | None:
    """Return the conversation meant; None where it is somebody else's, or none."""
    id = context.conversation(given)
    mine = None if id is None else conversations.find(session, context.surroundings.scope, id)
    return id if mine else None


def _own(context: Context, given: str | None) -> UUID | None:
    """Return the run's own conversation; None where another is meant."""
    own = context.surroundings.conversation_id
    return own if context.conversation(given) == own else None


def _changes(context: Context, given: str | None) -> Changes:
    return context.changes if _own(context, given) else UNCHANGED


def _numbers(session: Session, conversation_id: UUID, changes: Changes) -> tuple[int, int]:
    """Return how many memories there are and the number of the last, with what is still to be written."""
    sequence = ConversationMemory.memory_sequence
    mine = select(func.count(), func.coalesce(func.max(sequence), 0))
    count, latest = session.execute(mine.where(ConversationMemory.conversation_id == conversation_id)).one()
    before = (0, 0) if changes.cleared else (count, latest)
    return before[0] + len(changes.added), before[1] + len(changes.added)


def _capped(limit: int) -> int:
    return min(max(limit, 0), MOST_MEMORIES)


def _as_object(memory: ConversationMemory) -> dict[str, Any]:
    return {
        "id": str(memory.id),
        "memory_sequence": memory.memory_sequence,
        "compressed_content": memory.compressed_content,
        "original_message_range": memory.original_message_range,
        "message_count_at_compression": memory.message_count_at_compression,
        "first_message_id": memory.first_message_id,
        "created_at": memory.created_at.isoformat(),
    }


def _new_as_object(context: Context, memory: NewMemory, sequence: int) -> dict[str, Any]:
    return {
        "id": str(memory.id),
        "memory_sequence": sequence,
        "compressed_content": memory.text,
        "original_message_range": memory.message_range,
        "message_count_at_compression": memory.message_count,
        "first_message_id": memory.first_message_id,
        "created_at": context.surroundings.now().isoformat(),
    }
