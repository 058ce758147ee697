"""One question to a persona, and the answer with what it rests on."""

from uuid import UUID

from pydantic import Field, field_validator

from gateway.schemas.base import Input, Output, example


class QuestionIn(Input):
    """What a persona is asked."""

    model_config = example(query="What replaced the bell?")

    query: str = Field(min_length=1, max_length=10_000)

    @field_validator("query")
    @classmethod
    def _asks_something(cls, query: str) -> str:
        if not query.strip():
            raise ValueError("the question asks nothing")
        return query


class SourceOut(Output):
    """A passage that the answer could rest on, by the number it was told with, and whether its mark stands there."""

    number: int
    chunk_id: str
    label: str
    content: str
    collection: str | None
    cited: bool


class AnswerOut(Output):
    """An answer; `degraded` says that it is less than it could be, `reason` why.

    What no model worded is sentences of what was read, with their marks; where nothing was found, the answer says so.
    The question began an ordinary conversation, titled with it: send the next message there. A persona that has read
    nothing begins none.
    """

    answer: str
    degraded: bool
    reason: str | None
    sources: list[SourceOut]
    conversation_id: UUID | None
    turn_id: int | None
