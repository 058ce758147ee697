"""Messages: listed in their conversation, else by their own id."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.idempotency import idempotent, once
from gateway.http.quotas import adds_work
from gateway.routes.answers import existed
from gateway.schemas.dialogue.conversations import (
    CountOut,
    ImportOut,
    MessageChange,
    MessageOut,
    MessagePage,
    MessageQuery,
    MessagesIn,
    RoleQuery,
)
from gateway.schemas.paging import page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import Message
from shared.queries.dialogue import conversations, messages

bp = APIBlueprint("messages", __name__, url_prefix="/api/v1")


@bp.get("/conversations/<uuid:conversation_id>/messages")
@requires(Permission.READ)
@bp.input(MessageQuery, location="query")
@bp.output(MessagePage)
def list_messages(conversation_id: UUID, query_data: MessageQuery) -> dict[str, Any]:
    """List the messages of a conversation, oldest first.

    `after` is the position of the last message that the caller has: what was said since.
    """
    with get_session() as session:
        conversation = conversations.get(session, scope(), conversation_id)
        found = messages.list_(session, scope(), conversation.id, **query_data.arguments())
        return page_of(found, query_data)


@bp.get("/conversations/<uuid:conversation_id>/messages/count")
@requires(Permission.READ)
@bp.input(RoleQuery, location="query")
@bp.output(CountOut)
def count_messages(conversation_id: UUID, query_data: RoleQuery) -> dict[str, int]:
    """Say how many messages there are.

    Those of a conversation, of one role where `sender_type` is given.
    """
    with get_session() as session:
        conversation = conversations.get(session, scope(), conversation_id)
        return {"count": messages.count(session, scope(), conversation.id, role=query_data.role)}


@bp.post("/conversations/<uuid:conversation_id>/messages/import")
@requires(Permission.CHAT)
@adds_work
@idempotent
@bp.input(MessagesIn)
@bp.output(ImportOut, 201)
def import_messages(conversation_id: UUID, json_data: MessagesIn) -> ImportOut:
    """Add what was said elsewhere.

    Oldest first; nobody answers them, and older ones become memories.
    """
    with once() as once_:
        given = [dict(message) for message in json_data.messages]
        messages.add_many(once_.session, scope(), conversation_id, given)
        return once_.keep(ImportOut(imported=len(given)), 201)


@bp.get("/messages/<uuid:message_id>")
@requires(Permission.READ)
@bp.output(MessageOut)
def get_message(message_id: UUID) -> Message:
    """Read a message.

    A reply's `extra_data` holds its citations, the ids of the passages that it was given, as `degraded` with the
    `reason` whether more might have been found, and its `finish_reason`: `length` or `content_filter` where it was cut.
    """
    with get_session() as session:
        return messages.get(session, scope(), message_id)


@bp.put("/messages/<uuid:message_id>")
@requires(Permission.CHAT)
@bp.input(MessageChange)
@bp.output(MessageOut)
def change_message(message_id: UUID, json_data: MessageChange) -> Message:
    """Change a message.

    What is not sent stays as it is.
    """
    with get_session() as session:
        return messages.update(session, scope(), message_id, json_data.given())


@bp.delete("/messages/<uuid:message_id>")
@requires(Permission.CHAT)
@bp.output({}, 204)
def delete_message(message_id: UUID) -> str:
    """Delete a message.

    There is no way back.
    """
    with get_session() as session:
        existed(messages.delete_(session, scope(), message_id), "message", message_id)
    return ""
