"""A reply: recall what the persona has read, build the prompt, stream the model's words, save them once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from services import leases
from services.dialogue.events import Events
from services.dialogue.stages import prepare
from services.dialogue.tools import ReplyTools, chat_for, tools
from services.leases import Held
from services.outcomes import Outcome
from shared.db import get_session
from shared.domain import prompt, stages
from shared.domain.conversation import Citation, CitedBy, ExtraData, MessageRole
from shared.domain.lifecycle import RunStatus
from shared.domain.prompt import Passage, Prompt, Said
from shared.domain.template import BY_WORDS_ONLY, NONE_FITS, Warned, not_searched, why_less
from shared.domain.trace import Trace
from shared.models import Message, Turn
from shared.providers.chat.chat import Chat, require_text, shortfalls
from shared.providers.chat.extractive import Extractive
from shared.providers.chat.thinking import Revoked, Text, Thinking
from shared.providers.chat.wire import ChatControls, ChatEvent, ChatMessage, End
from shared.providers.embedding.client import try_query
from shared.queries.dialogue import turns
from shared.queries.dialogue.turns import TurnContext
from shared.queries.knowledge import recall, search
from shared.queries.scope import Scope
from shared.scripting.preparation import Prepared


@dataclass
class TurnResult:
    """What a turn came to; `finish_reason` None means that it was cut off by a cancel."""

    message_id: UUID
    prepared: Prepared
    prompt: Prompt
    model: str
    then: dict[UUID, int]
    text: str = ""
    thinking: str = ""
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def citations(self) -> list[Citation]:
        """Say which passages the text rests on."""
        passages = self.prompt.passages
        return [_citation(n, passages[n - 1], by) for n, by in prompt.cited(self.text, passages).items()]

    def extra_data(self) -> ExtraData:
        """Return what a message keeps besides its text: the chunks it was given, those it cites, what it may lack."""
        reason = why_less(warning._asdict() for warning in self.prepared.warnings)
        return {
            "degraded": reason is not None,
            "reason": reason,
            "model": self.model,
            "citations": self.citations(),
            "chunk_ids": [passage.chunk_id for passage in self.prompt.passages],
            "cancelled": self.finish_reason is None,
            "finish_reason": self.finish_reason,
        }

    def as_message(self, conversation_id: UUID) -> Message:
        """Return the assistant's message, not saved yet, without marks of passages that it was not given."""
        asked = self.prompt.messages[-1].content
        content = prompt.without_empty_marks(self.text, len(self.prompt.passages), asked)
        return Message(
            id=self.message_id,
            conversation_id=conversation_id,
            role=MessageRole.ASSISTANT,
            content=content,
            thinking=self.thinking or None,
            extra_data=self.extra_data(),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )


def _citation(number: int, passage: Passage, by: CitedBy) -> Citation:
    return Citation(number=number, chunk_id=passage.chunk_id, label=passage.label(), page=passage.page, by=by)


def load(session: Session, turn: Turn) -> TurnContext:
    """Read what the reply is made from."""
    return turns.load(session, turn, history=tools().settings.chat_history)


def work(context: TurnContext) -> TurnResult:
    """Recall, build the prompt, and stream the reply; raises Transient while a model is away."""
    held = leases.current()
    assert held is not None
    held.left = events = Events(tools().stream, context)
    with events.open():
        started = time.monotonic()
        reply = _prepare(context, held, events)
        reply.seconds["prepare"] = round(time.monotonic() - started, 4)
        events.stage(3, "generating")
        _generate(reply, context, held, events)
        reply.seconds["total"] = round(time.monotonic() - started, 4)
    return reply


def _prepare(context: TurnContext, held: Held, events: Events) -> TurnResult:
    """Do all that comes before the model speaks."""
    prepared = prepare(context, tools(), held, events)
    passages, warnings = _recall(context, tools())
    built = _build(prepared.text, context, passages, tools())
    prepared.warnings += warnings + _shortened(built)
    model = _controls(context, tools(), built).model or ""
    return TurnResult(uuid4(), prepared, built, model, then=_modules_after(context, prepared.warnings))


def _modules_after(context: TurnContext, warnings: list[Warned]) -> dict[UUID, int]:
    """Return the modules that run after the reply, with their stages."""
    after: dict[UUID, int] = {}
    for module in context.modules.values():
        tell = not_searched(module.name, stages.AFTER[0], warnings)
        if stage := stages.stage_after(module, context.question, tell):
            after[module.id] = stage
    return after


def _recall(context: TurnContext, with_: ReplyTools) -> tuple[list[Passage], list[Warned]]:
    """Find the best passages; with a warning where some could be found by words only."""
    if not context.has_read:
        return [], []
    vector, reason = try_query(with_.embedding, context.question)
    question = recall.question(context.question, vector, reason, with_.settings)
    with get_session() as session:
        found = recall.find(session, Scope(context.owner_id), question, search.of_persona(context.persona))
    return found.passages, [Warned("", BY_WORDS_ONLY, found.reason, 3)] if found.reason else []


def _build(text: str, context: TurnContext, passages: Sequence[Passage], with_: ReplyTools) -> Prompt:
    settings = with_.settings
    history = [Said(role, content) for role, content in context.history if role != MessageRole.SYSTEM]
    budget = settings.chat_context_tokens - settings.chat_max_tokens  # no reply may be longer: see _controls
    return prompt.build(text, context.question, passages=passages, history=history, budget=budget)


def _shortened(built: Prompt) -> list[Warned]:
    why = "do not fit into PERSONAE_CHAT_CONTEXT_TOKENS"
    lost = {part: built.dropped[part] for part in ("template", "question") if built.dropped[part]}
    told = [
        Warned("", "prompt_shortened", f"{count} characters of the {part} {why}", 3) for part, count in lost.items()
    ]
    count = 0 if built.passages else built.dropped["passages"]
    return told + [Warned("", NONE_FITS, f"the passages that were found ({count}) {why}", 3)] * bool(count)


def _speaker(context: TurnContext, built: Prompt) -> Chat:
    """Return who speaks: no model, where the turn needs passages and there are none."""
    missed = built.dropped["passages"]
    is_lost = context.options.get(turns.NEEDS_PASSAGES) and not built.passages
    return Extractive(missed=missed) if is_lost else chat_for(context, built.passages, missed=missed)


def _controls(context: TurnContext, with_: ReplyTools, built: Prompt) -> ChatControls:
    given: dict[str, Any] = {**context.provider_config, **context.options}
    known = ("model", "temperature", "top_p", "max_tokens", "seed", "stop", "json_mode")
    defaults: dict[str, Any] = {
        "max_tokens": with_.settings.chat_max_tokens,
        "model": _speaker(context, built).model,
    }
    asked = defaults | {name: given[name] for name in known if given.get(name) is not None}
    return ChatControls(**asked | {"max_tokens": min(asked["max_tokens"], defaults["max_tokens"])})


def _generate(reply: TurnResult, context: TurnContext, held: Held, events: Events) -> None:
    """Stream into the reply and to the listeners, until the end or until the work is told to stop."""
    messages = [ChatMessage(said.role, said.content) for said in reply.prompt.messages]  # type: ignore[arg-type]
    begun = time.monotonic()
    controls = _controls(context, tools(), reply.prompt)
    with _speaker(context, reply.prompt).stream(messages, controls) as stream:
        held.closes(stream.close)
        for event in stream:
            reply.seconds.setdefault("first_token", round(time.monotonic() - begun, 4))
            _take(reply, event, events)
            if isinstance(event, End):
                require_text(reply.text, reply.thinking, event)
    reply.seconds["generate"] = round(time.monotonic() - begun, 4)


def _take(reply: TurnResult, event: ChatEvent, events: Events) -> None:
    match event:
        case Text(text):
            reply.text += text
            events.token(text)
        case Thinking(text):
            reply.thinking += text
            events.thinking(text)
        case Revoked():
            reply.thinking, reply.text = (reply.thinking + reply.text).strip(), ""
            events.revoke(reply.thinking)
        case End():
            reply.finish_reason, reply.model = event.finish_reason, event.model or reply.model
            reply.input_tokens, reply.output_tokens = event.input_tokens, event.output_tokens
            reply.prepared.warnings += [Warned("", kind, words, 3) for kind, words in shortfalls(event)]


def save(session: Session, turn: Turn, reply: TurnResult) -> None:
    """Save the assistant's message, how it came about, and the modules that run after it."""
    message = reply.as_message(turn.conversation_id)
    turns.save_reply(session, turn, message, _trace(reply), then=reply.then, changes=reply.prepared.changes)


def _trace(reply: TurnResult) -> Trace:
    ai_seconds = round(reply.prepared.ai_seconds + reply.seconds.get("generate", 0.0), 4)
    return {
        "stages": reply.prepared.stages,
        "messages": [{"role": said.role, "content": said.content} for said in reply.prompt.messages],
        "passages": [{"chunk_id": p.chunk_id, "label": p.label(), "score": p.score} for p in reply.prompt.passages],
        "prompt_tokens": reply.prompt.tokens,
        "dropped": reply.prompt.dropped,
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "seconds": reply.seconds | {"ai": ai_seconds, "other": round(reply.seconds["total"] - ai_seconds, 4)},
        "warnings": [warning.trace() for warning in reply.prepared.warnings],
    }


def announce(held: Held, outcome: Outcome) -> None:
    """Tell the listeners how the turn ended, or that it is tried again, which ends nothing."""
    events: Events | None = held.left
    if events is None:
        return
    reply: TurnResult | None = outcome.value
    is_saved = reply is not None and (reply.text or outcome.status is RunStatus.COMPLETED)
    message = turns.as_event(reply.as_message(events.conversation_id)) if reply and is_saved else None
    with events.open():
        match outcome.status:
            case RunStatus.COMPLETED:
                events.done(message or {}, followed=bool(reply and reply.then))
            case RunStatus.CANCELLED:
                events.cancelled(message)
            case RunStatus.ERROR:
                events.waiting(outcome.message or "the attempt failed", outcome.wait)
            case _:
                events.error(outcome.message)
