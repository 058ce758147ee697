"""What a conversation remembers of its older messages."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.schemas.dialogue.conversations import MemoryIn, MemoryOut, MemoryPage
from gateway.schemas.paging import PageQuery, page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import ConversationMemory
from shared.queries.dialogue import memory

bp = APIBlueprint("memories", __name__, url_prefix="/api/v1/conversations/<uuid:conversation_id>/memories")


@bp.get("")
@requires(Permission.READ)
@bp.input(PageQuery, location="query")
@bp.output(MemoryPage)
def list_memories(conversation_id: UUID, query_data: PageQuery) -> dict[str, Any]:
    """List what a conversation remembers of its older messages.

    Each memory stands for a span of messages, compressed when there were enough.
    """
    with get_session() as session:
        return page_of(memory.list_(session, scope(), conversation_id, **query_data.arguments()), query_data)


@bp.put("/<uuid:memory_id>")
@requires(Permission.CHAT)
@bp.input(MemoryIn)
@bp.output(MemoryOut)
def rewrite_memory(conversation_id: UUID, memory_id: UUID, json_data: MemoryIn) -> ConversationMemory:
    """Say what a memory shall say.

    Prompts hold it from the next reply on.
    """
    with get_session() as session:
        return memory.rewrite(session, scope(), conversation_id, memory_id, json_data.compressed_content)


@bp.delete("")
@requires(Permission.CHAT)
@bp.output({}, 204)
def clear_memories(conversation_id: UUID) -> str:
    """Forget a conversation's memories.

    They are made anew from the messages when it goes on.
    """
    with get_session() as session:
        memory.clear(session, scope(), conversation_id)
    return ""
