"""Seed 003, MiniPilot: `from shared.api.minipilot import get_session, create_user`.

The functions keep the seed's names and signatures, and speak for the default owner.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.api.schema import drop_db, init_db, reset_db
from shared.db import get_engine, get_session, new_engine
from shared.domain.conversation import MessageRole
from shared.models import Base, Conversation, KnowledgeChunk, Message, Timestamped, User
from shared.queries.accounts import users
from shared.queries.dialogue import conversations, messages
from shared.queries.knowledge import chunks as stored
from shared.queries.knowledge import passage_embeddings
from shared.queries.scope import DEFAULT_SCOPE
from shared.settings import get_settings

MessageSenderType = MessageRole
TimestampMixin = Timestamped


def get_database_url() -> str:
    """Return the database's URL, its password included."""
    return get_settings().require_database_url()


def create_database_engine(url: str | None = None) -> Engine:
    """Make an engine of its own, on the settings' database or on another's URL."""
    return new_engine(url)


def create_user(
    session: Session, email: str | None = None, name: str | None = None, external_id: str | None = None
) -> User:
    """Add a user; raises Conflict where the e-mail or the external id is taken."""
    return users.add(session, DEFAULT_SCOPE, email=email, name=name, external_id=external_id)


def get_user_by_id(session: Session, user_id: UUID) -> User | None:
    """Return the user, or None."""
    return users.find(session, DEFAULT_SCOPE, user_id)


def get_user_by_email(session: Session, email: str) -> User | None:
    """Return the user with this e-mail, or None."""
    return users.find_by_email(session, DEFAULT_SCOPE, email)


def get_user_by_external_id(session: Session, external_id: str) -> User | None:
    """Return the user with this external id, or None."""
    return users.find_by_external_id(session, DEFAULT_SCOPE, external_id)


def get_or_create_user_by_external_id(
    session: Session, external_id: str, email: str | None = None, name: str | None = None
) -> tuple[User, bool]:
    """Return the user with this external id, and whether it had to be created."""
    return users.get_or_add(session, DEFAULT_SCOPE, external_id, email=email, name=name)


def list_users(session: Session, limit: int = 100, offset: int = 0) -> list[User]:
    """Return users, oldest first."""
    return users.list_(session, DEFAULT_SCOPE, limit=limit, offset=offset)


def update_user(session: Session, user_id: UUID, email: str | None = None, name: str | None = None) -> User | None:
    """Change what is given; None where there is no such user."""
    return users.update(session, DEFAULT_SCOPE, user_id, email=email, name=name)


def delete_user(session: Session, user_id: UUID) -> bool:
    """Delete a user and all their conversations; say whether there was one."""
    return users.delete_(session, DEFAULT_SCOPE, user_id)


def create_conversation(
    session: Session, user_id: UUID | None = None, title: str | None = None, status: str = "active"
) -> Conversation:
    """Begin a conversation; raises NotFound for the user, Invalid for the status."""
    return conversations.add(session, DEFAULT_SCOPE, user_id=user_id, title=title, status=status)


def get_conversation_by_id(session: Session, conversation_id: UUID) -> Conversation | None:
    """Return the conversation, or None."""
    return conversations.find(session, DEFAULT_SCOPE, conversation_id)


def list_conversations_for_user(
    session: Session, user_id: UUID, status: str | None = None, limit: int = 100, offset: int = 0
) -> list[Conversation]:
    """Return a user's conversations, newest first."""
    return conversations.list_(session, DEFAULT_SCOPE, user_id=user_id, status=status, limit=limit, offset=offset)


def list_all_conversations(
    session: Session, status: str | None = None, limit: int = 100, offset: int = 0
) -> list[Conversation]:
    """Return every conversation, newest first."""
    return conversations.list_(session, DEFAULT_SCOPE, status=status, limit=limit, offset=offset)


def update_conversation(
    session: Session, conversation_id: UUID, title: str | None = None, status: str | None = None
) -> Conversation | None:
    """Change what is given; None where there is no such conversation."""
    return conversations.update(session, DEFAULT_SCOPE, conversation_id, title=title, status=status)


def archive_conversation(session: Session, conversation_id: UUID) -> Conversation | None:
    """Put a conversation away; None where there is no such conversation."""
    return conversations.archive(session, DEFAULT_SCOPE, conversation_id)


def delete_conversation(session: Session, conversation_id: UUID) -> bool:
    """Delete a conversation and all its messages; say whether there was one."""
    return conversations.delete_(session, DEFAULT_SCOPE, conversation_id)


def add_message(
    session: Session,
    conversation_id: UUID,
    sender_type: MessageRole | str,
    content: str,
    role_metadata: dict[str, Any] | None = None,
) -> Message:
    """Add a message; raises NotFound for the conversation, Invalid for the sender."""
    return messages.add(session, DEFAULT_SCOPE, conversation_id, sender_type, content, extra_data=role_metadata)


def get_message_by_id(session: Session, message_id: UUID) -> Message | None:
    """Return the message, or None."""
    return messages.find(session, DEFAULT_SCOPE, message_id)


def list_messages_for_conversation(
    session: Session,
    conversation_id: UUID,
    limit: int = 100,
    offset: int = 0,
    sender_type: MessageRole | str | None = None,
) -> list[Message]:
    """Return a conversation's messages, oldest first."""
    return messages.list_(session, DEFAULT_SCOPE, conversation_id, role=sender_type, limit=limit, offset=offset)


def get_conversation_message_count(session: Session, conversation_id: UUID) -> int:
    """Return how many messages a conversation has."""
    return messages.count(session, DEFAULT_SCOPE, conversation_id)


def delete_message(session: Session, message_id: UUID) -> bool:
    """Delete a message; say whether there was one."""
    return messages.delete_(session, DEFAULT_SCOPE, message_id)


def upsert_knowledge_chunk(
    session: Session,
    source: str,
    content: str,
    external_id: str | None = None,
    title: str | None = None,
    chunk_metadata: dict[str, Any] | None = None,
) -> KnowledgeChunk:
    """Write a chunk: over the one of the same source and external id, or anew where no external id is given."""
    given = {"source": source, "content": content, "external_id": external_id, "title": title}
    return bulk_upsert_knowledge_chunks(session, [given | {"chunk_metadata": chunk_metadata}])[0]


def get_knowledge_chunk_by_id(session: Session, chunk_id: UUID) -> KnowledgeChunk | None:
    """Return the chunk, or None."""
    return stored.find(session, DEFAULT_SCOPE, chunk_id)


def get_knowledge_chunk_by_external_id(
    session: Session, external_id: str, source: str | None = None
) -> KnowledgeChunk | None:
    """Return the chunk with this external id, of one source where it is given, or None."""
    return stored.find_by_external_id(session, DEFAULT_SCOPE, external_id, source=source)


def search_knowledge_chunks_by_source(
    session: Session, source: str, limit: int = 100, offset: int = 0
) -> list[KnowledgeChunk]:
    """Return a source's chunks, oldest first."""
    return stored.list_(session, DEFAULT_SCOPE, source=source, limit=limit, offset=offset)


def list_all_knowledge_chunks(session: Session, limit: int = 100, offset: int = 0) -> list[KnowledgeChunk]:
    """Return every chunk, oldest first."""
    return stored.list_(session, DEFAULT_SCOPE, limit=limit, offset=offset)


def bulk_upsert_knowledge_chunks(session: Session, chunks: Sequence[Mapping[str, Any]]) -> list[KnowledgeChunk]:
    """Write many chunks as `upsert_knowledge_chunk` does, one statement per thousand.

    They are found by their words at once, and by their meaning when a worker has embedded them.
    """
    written = stored.bulk_upsert(session, DEFAULT_SCOPE, chunks)
    hashes, model = {chunk.content_hash for chunk in written}, get_settings().embedding_model
    passage_embeddings.add(session, DEFAULT_SCOPE, hashes, model=model)
    return written


def delete_knowledge_chunk(session: Session, chunk_id: UUID) -> bool:
    """Delete a chunk; say whether there was one."""
    return stored.delete_(session, DEFAULT_SCOPE, chunk_id)


__all__ = [
    "Base",
    "Conversation",
    "KnowledgeChunk",
    "Message",
    "MessageSenderType",
    "TimestampMixin",
    "User",
    "add_message",
    "archive_conversation",
    "bulk_upsert_knowledge_chunks",
    "create_conversation",
    "create_database_engine",
    "create_user",
    "delete_conversation",
    "delete_knowledge_chunk",
    "delete_message",
    "delete_user",
    "drop_db",
    "get_conversation_by_id",
    "get_conversation_message_count",
    "get_database_url",
    "get_engine",
    "get_knowledge_chunk_by_external_id",
    "get_knowledge_chunk_by_id",
    "get_message_by_id",
    "get_or_create_user_by_external_id",
    "get_session",
    "get_user_by_email",
    "get_user_by_external_id",
    "get_user_by_id",
    "init_db",
    "list_all_conversations",
    "list_all_knowledge_chunks",
    "list_conversations_for_user",
    "list_messages_for_conversation",
    "list_users",
    "reset_db",
    "search_knowledge_chunks_by_source",
    "update_conversation",
    "update_user",
    "upsert_knowledge_chunk",
]
