"""Who speaks in a conversation, whether it is put away, and what is asked of and kept with a reply. Pure."""

from enum import StrEnum
from typing import Literal

from typing_extensions import TypedDict


class MessageRole(StrEnum):
    """Who a message is from (seeds 001 and 003)."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class ConversationStatus(StrEnum):
    """Whether a conversation is in use (seed 003)."""

    ACTIVE = "active"
    ARCHIVED = "archived"


CitedBy = Literal["marker", "words"]


class ReplyOptions(TypedDict, total=False):
    """What a turn keeps of how its reply was asked for; the model's own defaults for the rest."""

    model: str
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    stop: list[str]
    json_mode: bool
    needs_passages: bool  # no model is asked where nothing was found about the question


class Citation(TypedDict):
    """A passage that a reply rests on; `by` says whether its mark stands there or its words do."""

    number: int  # from 1, as in the mark
    chunk_id: str
    label: str
    page: int | None
    by: CitedBy


class ExtraData(TypedDict, total=False):
    """What a reply keeps besides its text; a message that was imported or changed may hold anything else."""

    model: str
    citations: list[Citation]
    chunk_ids: list[str]  # of the passages that the model was told, in the order of their numbers
    cancelled: bool
    degraded: bool  # whether more might have been found, or the reply is cut
    reason: str | None  # of it
    finish_reason: str | None
