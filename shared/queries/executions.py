"""Modules that run after a reply: rows of their turn, stage 5 after stage 4, each leaving the state of its module."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, cast, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.stages import ExecutionStage
from shared.models import ConversationState, Module, ModuleExecution, Turn, TurnTrace
from shared.queries import work
from shared.settings import get_settings

STAGES = {4: ExecutionStage.STAGE4, 5: ExecutionStage.STAGE5}


def add(session: Session, turn: Turn, staged: Mapping[UUID, int]) -> None:
    """Add a blocked run for each module, given with its stage."""
    session.add_all(
        ModuleExecution(
            turn_id=turn.id,
            conversation_id=turn.conversation_id,
            module_id=module_id,
            stage=stage,
            priority=turn.priority,
            status_meta=turn.status_meta,
        )
        for module_id, stage in sorted(staged.items(), key=lambda item: (item[1], item[0]))
    )
    session.flush()


def ready_lowest(session: Session, turn_id: int) -> set[str]:
    """Make a turn's runs of the lowest unfinished stage ready; return their queues, none when all have ended."""
    waiting = session.scalars(_unfinished().where(ModuleExecution.turn_id == turn_id)).all()
    lowest = min((row.stage or 0 for row in waiting), default=0)
    return work.make_ready(session, [row for row in waiting if row.stage == lowest])


def are_unfinished(session: Session, turn_id: int) -> bool:
    """Say whether modules of a turn are still to run."""
    return session.scalar(select(_unfinished().where(ModuleExecution.turn_id == turn_id).exists())) or False


def hold_up(session: Session, conversation_id: UUID) -> bool:
    """Say whether the next turn must wait for modules: those of a reply that is not older than the longest wait."""
    running = _unfinished().join(Turn, Turn.id == ModuleExecution.turn_id)
    mine = running.where(ModuleExecution.conversation_id == conversation_id, ~_overdue())
    return session.scalar(select(mine.exists())) or False


def are_stale(session: Session, turn: Turn) -> bool:
    """Say whether modules of an earlier turn have not left their state yet."""
    earlier = _unfinished().where(
        ModuleExecution.conversation_id == turn.conversation_id, ModuleExecution.turn_id < turn.id
    )
    return session.scalar(select(earlier.exists())) or False


def _overdue() -> ColumnElement[bool]:
    wait = func.make_interval(0, 0, 0, 0, 0, 0, get_settings().post_response_wait)
    return Turn.completed_date < func.clock_timestamp() - wait


def _unfinished() -> Select[ModuleExecution]:
    return select(ModuleExecution).where(ModuleExecution.status.not_in(TERMINAL)).order_by(ModuleExecution.id)


def states(session: Session, conversation_id: UUID) -> dict[UUID, dict[str, Any]]:
    """Return the newest variables of each module in a conversation, by module id, oldest first."""
    mine = select(ConversationState.module_id, ConversationState.variables).where(
        ConversationState.conversation_id == conversation_id
    )
    rows = session.execute(mine.order_by(ConversationState.executed_at, ConversationState.id)).all()
    return {row.module_id: row.variables for row in rows}


def remembered(states: Mapping[UUID, Mapping[str, Any]]) -> dict[str, Any]:
    """Put the variables of all modules together, the newest on top."""
    return {name: value for variables in states.values() for name, value in variables.items()}


def variables_of(session: Session, turn_id: int, stage: int) -> dict[str, dict[str, Any]]:
    """Return what the modules of a turn's stage came to, by module name."""
    done = (
        select(Module.name, ModuleExecution.variables)
        .join(Module, Module.id == ModuleExecution.module_id)
        .where(ModuleExecution.turn_id == turn_id, ModuleExecution.stage == stage)
        .where(ModuleExecution.status == RunStatus.COMPLETED)
        .order_by(Module.name)
    )
    return {row.name: row.variables for row in session.execute(done)}


def save(session: Session, row: ModuleExecution, variables: dict[str, Any], output: str, trace: dict[str, Any]) -> None:
    """Keep what a run came to, with the run and as the state of its module; a later turn's state stays."""
    row.variables, row.output = variables, output
    if row.conversation_id is None or row.stage not in STAGES or row.status is not RunStatus.COMPLETED:
        return
    if not _is_overtaken(session, row):
        metadata = {"success": True, "execution_time": trace.get("seconds"), "turn_id": row.turn_id}
        ConversationState.store_execution_result(
            session, row.conversation_id, row.module_id, STAGES[row.stage], variables, metadata
        )
    add_to_trace(session, row, trace)


def _is_overtaken(session: Session, row: ModuleExecution) -> bool:
    later = select(ModuleExecution).where(
        ModuleExecution.conversation_id == row.conversation_id,
        ModuleExecution.module_id == row.module_id,
        ModuleExecution.turn_id > row.turn_id,
        ModuleExecution.status == RunStatus.COMPLETED,
    )
    return session.scalar(select(later.exists())) or False


def add_failure(session: Session, row: ModuleExecution) -> None:
    """Add to the trace of its turn that a run ended without a result."""
    name = session.scalar(select(Module.name).where(Module.id == row.module_id))
    failed = {"status": row.status.value.lower(), "message": row.status_message}
    add_to_trace(session, row, {"module": name, "module_id": str(row.module_id), "stage": row.stage, **failed})


def add_to_trace(session: Session, row: ModuleExecution, entry: dict[str, Any]) -> None:
    """Add how a run went to the trace of its turn."""
    runs = func.coalesce(TurnTrace.trace["executions"], cast([], JSONB)).op("||")(cast([entry], JSONB))
    trace = func.jsonb_set(TurnTrace.trace, cast(["executions"], ARRAY(Text)), runs)
    session.execute(update(TurnTrace).where(TurnTrace.turn_id == row.turn_id).values(trace=trace))
