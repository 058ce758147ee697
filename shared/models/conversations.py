"""Conversations and their messages: seeds 001 and 003 in two tables, each under its own names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String
from sqlalchemy.orm import Mapped, backref, mapped_column, relationship, synonym

from shared.domain.conversation import ConversationStatus, ExtraData, MessageRole
from shared.models.base import JSON_OBJECT, Audited, Base, Identified, Owned, Timestamped, enum_by_value
from shared.models.personas import Persona
from shared.models.users import User


class Conversation(Audited, Identified, Timestamped, Owned, Base):
    """A talk between a user and a persona; either may be unknown."""

    __tablename__ = "conversations"
    __table_args__ = (
        Index("idx_conversation_user_status", "user_id", "status"),
        Index("idx_conversation_created", "created_at"),
    )

    persona_id: Mapped[UUID | None] = mapped_column(ForeignKey("personas.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str | None] = mapped_column(String(500))
    status: Mapped[ConversationStatus] = mapped_column(
        enum_by_value(ConversationStatus),
        default=ConversationStatus.ACTIVE,
        server_default=ConversationStatus.ACTIVE.value,
    )
    provider_type: Mapped[str | None] = mapped_column(String(50))
    provider_config: Mapped[dict[str, Any] | None]

    persona: Mapped[Persona | None] = relationship(
        backref=backref("conversations", cascade="all, delete-orphan", passive_deletes=True)
    )
    user: Mapped[User | None] = relationship(
        backref=backref("conversations", cascade="all, delete-orphan", passive_deletes=True)
    )
    messages: Mapped[list[Message]] = relationship(
        back_populates="conversation",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Message.position",
    )


class Message(Audited, Identified, Timestamped, Base):
    """Something said; `position` orders a conversation where times could tie."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("input_tokens >= 0", name="input_tokens_not_negative"),
        CheckConstraint("output_tokens >= 0", name="output_tokens_not_negative"),
        Index("ix_messages_conversation_id_position", "conversation_id", "position", unique=True),
        Index("idx_message_conversation_created", "conversation_id", "created_at"),
        Index("idx_message_sender_type", "role"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity())
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    role: Mapped[MessageRole] = mapped_column(enum_by_value(MessageRole))
    sender_type: Mapped[MessageRole] = synonym("role")
    content: Mapped[str]
    thinking: Mapped[str | None]
    extra_data: Mapped[ExtraData | None] = mapped_column(JSON_OBJECT)
    role_metadata: Mapped[ExtraData | None] = synonym("extra_data")
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]

    conversation: Mapped[Conversation] = relationship(back_populates="messages")
