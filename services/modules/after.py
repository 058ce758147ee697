"""Stages 4 and 5: a module looks at the reply, and leaves variables for the next turn."""

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from services import leases
from shared.domain import stages, template
from shared.errors import Invalid
from shared.models import Conversation, Message, Module, ModuleExecution, Turn, TurnTrace
from shared.providers.chat import Chat
from shared.providers.extractive import EXTRACTIVE, Extractive
from shared.providers.http_chat import connect_chat
from shared.queries import executions
from shared.queries.scope import Scope
from shared.scripting.asking import SideCall
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution, execute
from shared.settings import Settings, get_settings

BEFORE_AI, WITH_AI = stages.AFTER


class Tools(NamedTuple):
    """The outside world of a module."""

    settings: Settings
    chat: Chat


@cache
def tools() -> Tools:
    """Connect to what the settings name."""
    settings = get_settings()
    return Tools(settings, connect_chat(settings))


@dataclass(frozen=True)
class Assignment:
    """A module, where it runs, and what it kept in earlier turns."""

    module: Module
    stage: int | None
    surroundings: Surroundings
    stored: dict[str, Any]
    provider_type: str | None


def load(session: Session, row: ModuleExecution) -> Assignment:
    """Read the module, the turn that it follows, and the state that it left before."""
    turn = session.get_one(Turn, row.turn_id)
    states = executions.states(session, turn.conversation_id)
    conversation = session.get_one(Conversation, turn.conversation_id)
    question = session.get_one(Message, turn.user_message_id)
    reply = session.get(Message, turn.assistant_message_id)
    surroundings = Surroundings(
        scope=Scope(conversation.owner_id),
        conversation_id=conversation.id,
        persona_id=conversation.persona_id,
        last_user_message=question.content,
        ai_response=reply.content if reply else "",
        until=question.position,
        system=_system(session, turn) if row.stage == WITH_AI else "",
        seed=turn.options.get("seed"),
    )
    module = session.get_one(Module, row.module_id)
    return Assignment(module, row.stage, surroundings, states.get(module.id, {}), conversation.provider_type)


def _system(session: Session, turn: Turn) -> str:
    """Return what the model was told for the reply, and what stage 4 found out since (seed 001)."""
    trace = session.get(TurnTrace, turn.id)
    messages = trace.trace.get("messages", []) if trace else []
    told = messages[0]["content"] if messages else ""
    found = executions.variables_of(session, turn.id, BEFORE_AI)
    return f"{told}\n\nCurrent context:\n{json.dumps(found, ensure_ascii=False)}" if found else told


def work(assignment: Assignment) -> Execution:
    """Run the module; raises Invalid with the script's own error, Transient while a model is away."""
    surroundings = assignment.surroundings
    if assignment.stage == WITH_AI:
        chat = Extractive() if assignment.provider_type == EXTRACTIVE else tools().chat
        surroundings = _asking(surroundings, chat, tools().settings)
    done = execute(assignment.module, assignment.stage, surroundings, assignment.stored)
    if not done.succeeded:
        raise Invalid(f"@{assignment.module.name} failed: {done.reason}")
    return done


def _asking(surroundings: Surroundings, chat: Chat, settings: Settings) -> Surroundings:
    held = leases.current()
    assert held is not None
    return replace(
        surroundings,
        ask=SideCall(chat, held.closes),
        budget=settings.chat_context_tokens,
        longest_reply=settings.chat_max_tokens,
    )


def save(session: Session, row: ModuleExecution, done: Execution) -> None:
    """Keep the variables, for the conversation's next turn and with the run."""
    output = template.resolve(f"@{done.module.name}", {done.module.name: done.piece()}).text
    warnings = [warning._asdict() for warning in done.warnings()]
    executions.save(session, row, done.variables, output, done.trace() | {"warnings": warnings})
