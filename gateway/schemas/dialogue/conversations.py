"""Conversations and their messages."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, Field

from gateway.schemas.base import AS_KEPT, Change, Input, Output, example
from gateway.schemas.paging import Page, PageQuery
from shared.domain.conversation import ConversationStatus, ExtraData, MessageRole


class ConversationIn(Input):
    """A conversation to begin; with a persona it starts with that persona's first message, where it has one."""

    model_config = example(persona_id="00000000-0000-0000-0000-000000000000", title="About alternating current")

    persona_id: UUID | None = None
    user_id: UUID | None = None
    title: str | None = Field(default=None, max_length=500)
    status: ConversationStatus = ConversationStatus.ACTIVE
    provider_type: str | None = Field(default=None, max_length=50)


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
    provider_type: str | None
    created_at: datetime
    updated_at: datetime


class ConversationPage(Page[ConversationOut]):
    """Conversations, newest first."""


class RoleQuery(Input):
    """Whose messages."""

    role: MessageRole | None = Field(default=None, validation_alias=AliasChoices("role", "sender_type"))


class MessageQuery(RoleQuery, PageQuery):
    """Which messages; replies stand behind their questions, but `after` gives what was added since a position."""

    after: int | None = Field(default=None, ge=0, lt=2**63)


class CountOut(Output):
    """How many there are."""

    count: int


class MessageChange(Change):
    """What to change of a message."""

    model_config = example(content="Better said")

    content: str = ""
    thinking: str | None = None
    extra_data: dict[str, Any] | None = None
    input_tokens: int | None = Field(default=None, ge=0, lt=2**31)
    output_tokens: int | None = Field(default=None, ge=0, lt=2**31)


class ImportedMessage(Input):
    """One message of a conversation that took place elsewhere."""

    role: MessageRole
    content: str = Field(max_length=100_000)
    thinking: str | None = None
    extra_data: dict[str, Any] | None = None


class MessagesIn(Input):
    """Messages to add as they were said, oldest first; nobody answers them."""

    model_config = example(
        messages=[{"role": "user", "content": "Good day"}, {"role": "assistant", "content": "Hello"}]
    )

    messages: list[ImportedMessage] = Field(min_length=1, max_length=1000)


class ImportOut(Output):
    """How many messages were added."""

    imported: int


class MessageOut(Output):
    """A message; `position` orders a conversation.

    A reply's tokens are the provider's: those of its whole prompt and its own. What a user says is counted roughly.
    """

    id: UUID
    conversation_id: UUID
    position: int
    role: MessageRole
    content: str
    thinking: str | None
    extra_data: Annotated[ExtraData, AS_KEPT] | None
    input_tokens: int | None
    output_tokens: int | None
    created_at: datetime
    updated_at: datetime


class MessagePage(Page[MessageOut]):
    """Messages, oldest first."""


class MemoryOut(Output):
    """What a span of older messages was compressed to; `model` is null where a person or a script wrote it."""

    id: UUID
    conversation_id: UUID
    memory_sequence: int
    compressed_content: str
    original_message_range: str
    message_count_at_compression: int
    first_message_id: str | None
    message_ids: list[str]
    model: str | None
    is_head: bool
    is_stale: bool
    created_at: datetime


class MemoryPage(Page[MemoryOut]):
    """Memories, oldest first; the head, of what was said before the first window, is number 0."""


class MemoryIn(Input):
    """What a memory shall say."""

    model_config = example(compressed_content="We spoke about alternating current.")

    compressed_content: str = Field(min_length=1, max_length=20_000)
