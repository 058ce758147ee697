"""The providers that a reply needs, one set per process."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from shared.domain.prompt import Passage
from shared.providers.chat.chat import Chat
from shared.providers.chat.extractive import EXTRACTIVE, Extractive
from shared.providers.chat.http_chat import connect_chat
from shared.providers.embedding.client import Embedding, connect_query_embedding
from shared.providers.stream.stream import TurnStream, connect_turn_stream
from shared.queries.dialogue.turns import TurnContext
from shared.settings import Settings, get_settings


class ReplyTools(NamedTuple):
    """The outside world of a reply."""

    settings: Settings
    chat: Chat
    embedding: Embedding
    stream: TurnStream


@cache
def tools() -> ReplyTools:
    """Connect to what the settings name."""
    settings = get_settings()
    return ReplyTools(
        settings, connect_chat(settings), connect_query_embedding(settings), connect_turn_stream(settings)
    )


def chat_for(context: TurnContext, passages: Sequence[Passage] = (), *, missed: int = 0) -> Chat:
    """Return who speaks in a turn: the configured model, or sentences out of what was read where it must not."""
    return Extractive(passages, missed=missed) if context.provider_type == EXTRACTIVE else tools().chat
