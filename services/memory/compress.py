"""A window of messages to a memory, in the first person: by the chat model, or by rules where it must not speak."""

from collections.abc import Sequence
from typing import NamedTuple

from services import leases
from shared.domain import extract, memory
from shared.domain.extract import SPEAKERS
from shared.domain.prompt import Said
from shared.domain.tokens import count_roughly
from shared.errors import Transient
from shared.providers.chat.chat import Chat, complete
from shared.providers.chat.extractive import EXTRACTIVE
from shared.providers.chat.wire import ChatControls, ChatMessage
from shared.queries.dialogue.memory import WindowContext
from shared.settings import DEMO_CHAT_MODEL, Settings

PROMPT = """I am {name}. I am summarising a part of a conversation of mine, so that I remember it later.
I write in the first person and in the language of the conversation. I keep themes, names, key facts, decisions, and \
how the context evolves. I add nothing that was not said. I return only the summary, without a preamble, in at most \
{words} words."""
WORDS_PER_TOKEN = 0.6
PROMPT_TOKENS = 160  # of the prompt above, with a name and what surrounds messages


class MemoryTools(NamedTuple):
    """The outside world of compression."""

    settings: Settings
    chat: Chat


class Summary(NamedTuple):
    """What a window came to, and who wrote it."""

    context: WindowContext
    text: str
    model: str


def summarise(context: WindowContext, with_: MemoryTools) -> Summary:
    """Summarise a window; raises Transient while the model is away or says nothing."""
    limit = with_.settings.memory_max_tokens
    if speaks_by_rules(context, with_.settings):
        return Summary(context, _extracted(context.lines, limit), EXTRACTIVE)
    if not context.lines:
        return Summary(context, "", with_.chat.model)
    text = _generated(context, with_)
    if not text:
        raise Transient(f"{with_.chat.model} returned an empty summary")
    return Summary(context, memory.within(text, limit), with_.chat.model)


def speaks_by_rules(context: WindowContext, settings: Settings) -> bool:
    """Say whether sentences are chosen rather than written: the demo model would invent, and be remembered."""
    return EXTRACTIVE in (context.provider_type, settings.chat_model) or settings.chat_model == DEMO_CHAT_MODEL


def _extracted(lines: Sequence[Said], limit: int) -> str:
    """Choose sentences; where none has a word in it, what was said is kept as it is."""
    return extract.summarise(lines, limit) or memory.within(_as_text(lines, limit), limit)


def _generated(context: WindowContext, with_: MemoryTools) -> str:
    settings = with_.settings
    system = PROMPT.format(
        name=context.persona_name or "the assistant", words=int(settings.memory_max_tokens * WORDS_PER_TOKEN)
    )
    budget = max(settings.chat_context_tokens - settings.memory_max_tokens - PROMPT_TOKENS, 100)
    messages = [ChatMessage("system", system), ChatMessage("user", _as_text(context.lines, budget))]
    controls = ChatControls(max_tokens=settings.memory_max_tokens, temperature=0.1)
    held = leases.current()
    return complete(with_.chat, messages, controls, on_open=held.closes if held else None).text.strip()


def _as_text(lines: Sequence[Said], budget: int) -> str:
    """Tell who said what, every message within its share of the budget."""
    told = [f"{SPEAKERS.get(line.role, line.role)}: {line.content}" for line in lines]
    if sum(count_roughly(line) + 1 for line in told) > budget:
        told = [memory.within(line, max(budget // len(told) - 1, 8)) for line in told]
    return "\n".join(told)
