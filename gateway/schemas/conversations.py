"""Conversations and their messages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AliasChoices, Field

from gateway.schemas.base import Change, Input, Output, example
from gateway.schemas.paging import Page, PageQuery
from shared.domain.conversation import ConversationStatus, MessageRole


class ConversationIn(Input):
    """A conversation to begin; with a persona it starts with that persona's first message, where it has one."""

    model_config = example(persona_id="00000000-0000-0000-0000-000000000000", title="About alternating current")

    persona_id: UUID | None = None
    user_id: UUID | None = None
    title: str | None = Field(default=None, max_length=500)
    status: ConversationStatus = ConversationStatus.ACTIVE


class ConversationChange(Change):
    """What to change of a conversation."""

    model_config = example(title="Renamed", status="archived")

    title: str | None = Field(default=None, max_length=500)
    status: ConversationStatus = ConversationStatus.ACTIVE


class ConversationQuery(PageQuery):
    """Which conversations."""

    persona_id: UUID | None = None
    user_id: UUID | None = None
    status: ConversationStatus | None = None


class ConversationOut(Output):
    """A conversation."""

    id: UUID
    persona_id: UUID | None
    user_id: UUID | None
    title: str | None
    status: ConversationStatus
    created_at: datetime
    updated_at: datetime


class ConversationPage(Page[ConversationOut]):
    """Conversations, newest first."""


class MessageQuery(PageQuery):
    """Which messages; `after` continues behind a position, however many were added meanwhile."""

    role: MessageRole | None = Field(default=None, validation_alias=AliasChoices("role", "sender_type"))
    after: int | None = Field(default=None, ge=0, lt=2**63)


class MessageChange(Change):
    """What to change of a message."""

    model_config = example(content="Better said")

    content: str = ""
    thinking: str | None = None
    extra_data: dict[str, Any] | None = None
    input_tokens: int | None = Field(default=None, ge=0, lt=2**31)
    output_tokens: int | None = Field(default=None, ge=0, lt=2**31)


class MessageOut(Output):
    """A message; `position` orders a conversation."""

    id: UUID
    conversation_id: UUID
    position: int
    role: MessageRole
    content: str
    thinking: str | None
    extra_data: dict[str, Any] | None
    input_tokens: int | None
    output_tokens: int | None
    created_at: datetime
    updated_at: datetime


class MessagePage(Page[MessageOut]):
    """Messages, oldest first."""
