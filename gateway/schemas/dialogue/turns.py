"""Turns: what is said to a persona, and how its reply comes along."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from pydantic import Field, field_validator

from gateway.schemas.base import AS_KEPT, Input, Output, example
from shared.domain.conversation import ReplyOptions
from shared.domain.lifecycle import RunStatus
from shared.domain.trace import Trace


class MessageIn(Input):
    """What a user says to a persona; the controls go to the chat model as they are."""

    model_config = example(content="What did you invent?")

    content: str = Field(min_length=1, max_length=100_000)
    model: str | None = Field(default=None, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=100_000)
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    stop: list[str] | None = Field(default=None, max_length=4)

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: str) -> str:
        if not content.strip():
            raise ValueError("the message says nothing")
        return content

    def options(self) -> ReplyOptions:
        """Return the controls that were given."""
        return cast("ReplyOptions", self.model_dump(exclude={"content"}, exclude_none=True))


class SendQuery(Input):
    """Whether to wait for the reply."""

    wait: bool = Field(default=False, description="For the reply, two minutes at most: 200 with the message; else 202.")


class TurnOut(Output):
    """A reply on its way; its events are at /api/v1/turns/{id}/events."""

    id: int
    conversation_id: UUID
    user_message_id: UUID | None
    assistant_message_id: UUID | None
    status: RunStatus
    status_message: str | None
    retry: int
    retries: int
    created_date: datetime
    start_date: datetime | None
    completed_date: datetime | None


class TraceOut(Output):
    """How a reply came about."""

    turn_id: int
    trace: Annotated[Trace, AS_KEPT]
    created_at: datetime
