"""Conversations."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.idempotency import idempotent, once
from gateway.routes.answers import existed
from gateway.schemas.dialogue.conversations import (
    ConversationChange,
    ConversationIn,
    ConversationOut,
    ConversationPage,
    ConversationQuery,
)
from gateway.schemas.paging import page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import Conversation
from shared.queries.dialogue import conversations

bp = APIBlueprint("conversations", __name__, url_prefix="/api/v1/conversations")


@bp.post("")
@requires(Permission.CHAT)
@idempotent
@bp.input(ConversationIn)
@bp.output(ConversationOut, 201)
def create_conversation(json_data: ConversationIn) -> ConversationOut:
    """Begin a conversation.

    With a `persona_id` it starts with the persona's first message, where it has one. Say something with
    `send_message`. `provider_type` "extractive" answers with sentences that were read, without a model.
    """
    with once() as work:
        conversation = conversations.add(work.session, scope(), **dict(json_data))
        return work.keep(ConversationOut.model_validate(conversation), 201)


@bp.get("")
@requires(Permission.READ)
@bp.input(ConversationQuery, location="query")
@bp.output(ConversationPage)
def list_conversations(query_data: ConversationQuery) -> dict[str, Any]:
    """List conversations, newest first.

    Of one persona, user or status where it is asked for.
    """
    with get_session() as session:
        return page_of(conversations.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<uuid:conversation_id>")
@requires(Permission.READ)
@bp.output(ConversationOut)
def get_conversation(conversation_id: UUID) -> Conversation:
    """Read a conversation.

    Its messages are at `list_messages`.
    """
    with get_session() as session:
        return conversations.get(session, scope(), conversation_id)


@bp.patch("/<uuid:conversation_id>")
@requires(Permission.CHAT)
@bp.input(ConversationChange)
@bp.output(ConversationOut)
def change_conversation(conversation_id: UUID, json_data: ConversationChange) -> Conversation:
    """Rename or archive a conversation.

    What is not sent stays as it is.
    """
    with get_session() as session:
        return json_data.apply_to(conversations.get(session, scope(), conversation_id))


@bp.delete("/<uuid:conversation_id>")
@requires(Permission.CHAT)
@bp.output({}, 204)
def delete_conversation(conversation_id: UUID) -> str:
    """Delete a conversation with its messages and memories.

    There is no way back.
    """
    with get_session() as session:
        existed(conversations.delete_(session, scope(), conversation_id), "conversation", conversation_id)
    return ""
