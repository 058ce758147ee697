"""A module that somebody asked for, or a script that is tried: run once, its result kept with the row."""

from sqlalchemy.orm import Session

from services.modules.assignment import Assignment, asking, trace
from shared.domain.lifecycle import RunStatus
from shared.domain.stages import Purpose
from shared.models import Module, ModuleExecution
from shared.queries import on_demand
from shared.queries.dialogue import memory
from shared.queries.on_demand import Situation
from shared.queries.scope import Scope
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution, execute


def load(session: Session, row: ModuleExecution) -> Assignment:
    """Read the module or the script, and what it finds around it."""
    found = on_demand.situation(session, row)
    is_test = row.purpose is Purpose.TEST
    module = on_demand.tested(row) if is_test else session.get_one(Module, row.module_id)
    stored = found.states.get(module.id, {})
    return Assignment(module, None, surroundings(row, found), stored, found.provider_type)


def surroundings(row: ModuleExecution, found: Situation) -> Surroundings:
    """Return what scripts of a run see of its situation."""
    return Surroundings(
        scope=Scope(row.owner_id),
        conversation_id=found.conversation.id if found.conversation else None,
        persona_id=found.persona.id if found.persona else None,
        last_user_message=found.message,
        ai_response=found.reply,
        system=found.system,
        is_last_attempt=row.purpose is Purpose.TEST and row.retry + 1 >= row.retries,
    )


def work(assignment: Assignment) -> Execution:
    """Run the script, which may ask the model; raises Transient while that is away. A script that fails is a result."""
    return execute(assignment.module, assignment.stage, asking(assignment), assignment.stored)


def save(session: Session, row: ModuleExecution, done: Execution) -> None:
    """Keep the result; what a module did to the conversation's memory counts, what a test did does not."""
    on_demand.save(row, done.variables, done.text(), trace(done))
    if row.purpose is Purpose.RUN and row.status is RunStatus.COMPLETED:
        memory.change(session, row.conversation_id, done.changes)
