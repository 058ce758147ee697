"""Who speaks in a conversation, and whether it is put away."""

from enum import StrEnum


class MessageRole(StrEnum):
    """Who a message is from (seeds 001 and 003)."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class ConversationStatus(StrEnum):
    """Whether a conversation is in use (seed 003)."""

    ACTIVE = "active"
    ARCHIVED = "archived"
