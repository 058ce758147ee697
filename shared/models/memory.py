"""Long memory: the windows of messages to compress, and the summaries that stand for them (seed 001)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    CursorResult,
    ForeignKey,
    String,
    UniqueConstraint,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Query, Session, mapped_column

from shared.domain import queues
from shared.models.base import Audited, Base, Identified, Work
from shared.models.conversations import Conversation


class MemoryWindow(Work):
    """A span of older messages to summarise, by `messages.position`, both ends included."""

    __tablename__ = "memory_windows"

    queue: Mapped[str] = mapped_column(String(32), default=queues.MEMORY, server_default=queues.MEMORY)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    sequence: Mapped[int]  # from 1; the head, all before the first window, is 0
    message_range: Mapped[str] = mapped_column(String(20), default="", server_default="")
    first_position: Mapped[int] = mapped_column(BigInteger)
    last_position: Mapped[int] = mapped_column(BigInteger)

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """Add that a window is compressed once."""
        return (
            *super().work_table_args(),
            UniqueConstraint("conversation_id", "first_position"),
            UniqueConstraint("conversation_id", "sequence"),
            CheckConstraint("first_position <= last_position", name="ends_in_order"),
        )


class ConversationMemory(Audited, Identified, Base):
    """A summary that stands in for a span of older messages; stale when one of these was changed after it."""

    __tablename__ = "conversation_memories"
    __table_args__ = (
        UniqueConstraint("conversation_id", "memory_sequence"),
        CheckConstraint("memory_sequence > 0 OR (is_head AND memory_sequence = 0)", name="sequence_positive"),
        CheckConstraint("length(compressed_content) > 0", name="content_not_empty"),
        CheckConstraint("message_count_at_compression > 0", name="count_positive"),
    )

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    memory_sequence: Mapped[int]
    compressed_content: Mapped[str]
    original_message_range: Mapped[str] = mapped_column(String(20))
    message_count_at_compression: Mapped[int]
    first_message_id: Mapped[str | None] = mapped_column(String(100))
    message_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    window_id: Mapped[int | None] = mapped_column(ForeignKey("memory_windows.id", ondelete="SET NULL"), index=True)
    model: Mapped[str | None] = mapped_column(String(255))  # who wrote it; None for a person or a script
    is_head: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    is_stale: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @classmethod
    def get_for_conversation(cls, db: Session, conversation_id: UUID) -> Query[ConversationMemory]:
        """Return a query of the conversation's memories, oldest first."""
        return db.query(cls).filter(cls.conversation_id == conversation_id).order_by(cls.memory_sequence)

    @classmethod
    def get_recent_memories(cls, db: Session, conversation_id: UUID, limit: int = 10) -> list[ConversationMemory]:
        """Return the newest memories, newest first."""
        mine = select(cls).where(cls.conversation_id == conversation_id)
        return list(db.scalars(mine.order_by(cls.memory_sequence.desc()).limit(limit)))

    @classmethod
    def get_next_sequence_number(cls, db: Session, conversation_id: UUID) -> int:
        """Return one more than the last sequence number, or 1."""
        last = select(func.max(cls.memory_sequence)).where(cls.conversation_id == conversation_id)
        return (db.scalar(last) or 0) + 1

    @classmethod
    def store_memory(
        cls,
        db: Session,
        conversation_id: UUID,
        compressed_content: str,
        message_range: str,
        message_count: int,
        first_message_id: UUID | str | None = None,
        *,
        id: UUID | None = None,
    ) -> ConversationMemory:
        """Add the next memory; the conversation stays locked until the caller commits, so numbers never clash."""
        db.execute(select(Conversation.id).where(Conversation.id == conversation_id).with_for_update(key_share=True))
        memory = cls(
            id=id,
            conversation_id=conversation_id,
            memory_sequence=cls.get_next_sequence_number(db, conversation_id),
            compressed_content=compressed_content,
            original_message_range=message_range,
            message_count_at_compression=message_count,
            first_message_id=None if first_message_id is None else str(first_message_id),
        )
        db.add(memory)
        db.flush()
        return memory

    @classmethod
    def clear_all_memories(cls, db: Session, conversation_id: UUID) -> int:
        """Delete the conversation's memories and return how many there were; the caller commits."""
        result = db.execute(delete(cls).where(cls.conversation_id == conversation_id))
        return cast("CursorResult[Any]", result).rowcount
