"""Stages 4 and 5: a module looks at the reply, and leaves variables for the next turn."""

import json
from typing import Any

from sqlalchemy.orm import Session

from services.modules.assignment import Assignment, asking, trace
from shared.domain import stages
from shared.domain.lifecycle import RunStatus
from shared.errors import Invalid
from shared.models import Message, ModuleExecution, Turn, TurnTrace
from shared.queries.dialogue import executions, memory
from shared.queries.scope import Scope
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution, execute

BEFORE_AI, WITH_AI = stages.AFTER


def load(session: Session, row: ModuleExecution) -> Assignment:
    """Read the module, the turn that it follows, and the state that it left before."""
    turn, conversation, question, reply, module = session.execute(executions.BACKGROUND, {"id": row.id}).one()
    states = executions.states(session, conversation.id)
    surroundings = Surroundings(
        scope=Scope(conversation.owner_id),
        conversation_id=conversation.id,
        persona_id=conversation.persona_id,
        last_user_message=question.content,
        ai_response=reply.content if reply else "",
        response_metadata=_metadata(reply),
        until=question.position,
        system=_system(session, turn) if row.stage == WITH_AI else "",
        seed=turn.options.get("seed"),
    )
    return Assignment(module, row.stage, surroundings, states.get(module.id, {}), conversation.provider_type)


def _metadata(reply: Message | None) -> dict[str, Any]:
    """Return what is known of the reply besides its text."""
    if reply is None:
        return {}
    counted = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    return {"message_id": str(reply.id), "thinking": reply.thinking, **counted, **(reply.extra_data or {})}


def _system(session: Session, turn: Turn) -> str:
    """Return what the model was told for the reply, and what stage 4 found out since (seed 001)."""
    row = session.get(TurnTrace, turn.id)
    messages = row.trace.get("messages", []) if row else []
    told = messages[0]["content"] if messages else ""
    found = executions.variables_of(session, turn.id, BEFORE_AI)
    return f"{told}\n\nCurrent context:\n{json.dumps(found, ensure_ascii=False)}" if found else told


def work(assignment: Assignment) -> Execution:
    """Run the module; raises Invalid with the script's own error, Transient while a model is away."""
    surroundings = asking(assignment) if assignment.stage == WITH_AI else assignment.surroundings
    done = execute(assignment.module, assignment.stage, surroundings, assignment.stored)
    if not done.succeeded:
        raise Invalid(f"@{assignment.module.name} failed: {done.reason}")
    return done


def save(session: Session, row: ModuleExecution, done: Execution) -> None:
    """Keep the variables, for the conversation's next turn and with the run."""
    if row.status is RunStatus.COMPLETED:  # first: windows are locked before their conversation
        memory.change(session, row.conversation_id, done.changes)
    executions.save(session, row, done.variables, done.text(), trace(done))
