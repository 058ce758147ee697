"""Modules that run after a reply: rows of their turn, stage 5 after stage 4, each leaving the state of its module."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Integer,
    Select,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session, aliased

from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.stages import ExecutionStage
from shared.domain.trace import ModuleTrace
from shared.models import (
    Base,
    Conversation,
    ConversationState,
    Message,
    Module,
    ModuleExecution,
    Turn,
    TurnTrace,
)
from shared.queries.dialogue import conversations
from shared.queries.work import locks

STAGES = {4: ExecutionStage.STAGE4, 5: ExecutionStage.STAGE5}
# Statements of every turn are built once: building one costs as much as running it.
STAGED = (
    func.unnest(cast(bindparam("modules"), ARRAY(Uuid)), cast(bindparam("stages"), ARRAY(Integer)))
    .table_valued(column("module_id", Uuid), column("stage", Integer))
    .render_derived()
)
COPIED = ("turn_id", "conversation_id", "priority", "status_meta")  # from a turn to the runs that follow it
FOLLOW = insert(Base.metadata.tables[ModuleExecution.__tablename__]).from_select(
    ["module_id", "owner_id", "stage", *COPIED],
    select(
        Module.id,
        Module.owner_id,
        STAGED.c.stage,
        *(bindparam(f"copied_{name}", type_=getattr(ModuleExecution, name).type) for name in COPIED),
    )
    .join(STAGED, STAGED.c.module_id == Module.id)
    .order_by(STAGED.c.stage, Module.id)
    .with_for_update(read=True, key_share=True, of=Module),  # one that is being deleted is waited for, and left out
)

UNFINISHED = ModuleExecution.status.not_in(TERMINAL)
UNFINISHED_OF_TURN = (
    select(ModuleExecution)
    .where(ModuleExecution.turn_id == bindparam("turn_id"), UNFINISHED)
    .order_by(ModuleExecution.id)
)
# Whether modules of an earlier turn have not left their state yet.
UNFINISHED_EARLIER = exists().where(
    ModuleExecution.conversation_id == bindparam("conversation_id"),
    ModuleExecution.turn_id < bindparam("turn_id"),
    UNFINISHED,
)
_REPLY = aliased(Message)
# What a run after a reply looks at: its turn, whose question was answered with this reply, and its module.
BACKGROUND = (
    select(Turn, Conversation, Message, _REPLY, Module)
    .join(ModuleExecution, ModuleExecution.turn_id == Turn.id)
    .join(Conversation, Conversation.id == Turn.conversation_id)
    .join(Message, Message.id == Turn.user_message_id)
    .outerjoin(_REPLY, _REPLY.id == Turn.assistant_message_id)
    .join(Module, Module.id == ModuleExecution.module_id)
    .where(ModuleExecution.id == bindparam("id"))
)
_REPLIED = aliased(Turn)
# How old a reply is when its modules take too long to be waited for.
LONGEST_WAIT = func.make_interval(0, 0, 0, 0, 0, 0, bindparam("wait"))
# Whether the next turn must wait for modules: those of a reply that is not older than the longest wait.
HOLDING_UP = exists().where(
    ModuleExecution.conversation_id == bindparam("conversation_id"),
    _REPLIED.id == ModuleExecution.turn_id,
    UNFINISHED,
    or_(_REPLIED.completed_date.is_(None), _REPLIED.completed_date >= func.clock_timestamp() - LONGEST_WAIT),
)
# Whether a later turn's run of a module has left its state already.
LATER = select(
    exists().where(
        ModuleExecution.conversation_id == bindparam("conversation_id"),
        ModuleExecution.module_id == bindparam("module_id"),
        ModuleExecution.turn_id > bindparam("turn_id"),
        ModuleExecution.status == RunStatus.COMPLETED,
    )
)
STATES = (
    select(ConversationState.module_id, ConversationState.variables)
    .where(ConversationState.conversation_id == bindparam("conversation_id"))
    .order_by(ConversationState.executed_at, ConversationState.id)
)


def add(session: Session, turn: Turn, staged: Mapping[UUID, int]) -> None:
    """Add a blocked run for each module that is still there, given with its stage.

    The caller has locked the conversation: before the modules, as whoever deletes one locks them.
    """
    copied = (turn.id, turn.conversation_id, turn.priority, turn.status_meta)
    given = {f"copied_{name}": value for name, value in zip(COPIED, copied, strict=True)}
    session.execute(FOLLOW, given | {"modules": [*staged], "stages": [*staged.values()]})


def ready_lowest(session: Session, turn_id: int) -> bool:
    """Make a turn's runs of the lowest unfinished stage ready; say whether there are any."""
    waiting = session.scalars(UNFINISHED_OF_TURN, {"turn_id": turn_id}).all()
    lowest = min((row.stage or 0 for row in waiting), default=0)
    return locks.make_ready(session, [row for row in waiting if row.stage == lowest])


def stalled() -> Select[*tuple[int, UUID]]:
    """Select turns whose modules wait for nothing, with their conversations."""
    turns = locks.stalled(ModuleExecution, ModuleExecution.turn_id).where(locks.is_new(ModuleExecution))
    return select(Turn.id, Turn.conversation_id).where(Turn.id.in_(turns)).order_by(Turn.id)


def states(session: Session, conversation_id: UUID) -> dict[UUID, dict[str, Any]]:
    """Return the newest variables of each module in a conversation, by module id, oldest first."""
    rows = session.execute(STATES, {"conversation_id": conversation_id}).all()
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


def save(session: Session, row: ModuleExecution, variables: dict[str, Any], output: str, trace: ModuleTrace) -> None:
    """Keep what a run came to, with the run and as the state of its module; a later turn's state stays."""
    row.variables, row.output = variables, output
    if not (row.conversation_id and row.module_id and row.stage in STAGES and row.status is RunStatus.COMPLETED):
        return
    conversations.lock(session, row.conversation_id)  # before the trace, as when a run fails
    if not _is_overtaken(session, row):
        metadata = {"success": True, "execution_time": trace.get("seconds"), "turn_id": row.turn_id}
        ConversationState.store_execution_result(
            session, row.conversation_id, row.module_id, STAGES[row.stage], variables, metadata
        )
    add_to_trace(session, row, trace)


def _is_overtaken(session: Session, row: ModuleExecution) -> bool:
    given = {"conversation_id": row.conversation_id, "module_id": row.module_id, "turn_id": row.turn_id}
    return session.scalar(LATER, given) or False


def add_failure(session: Session, row: ModuleExecution) -> None:
    """Add to the trace of its turn that a run ended without a result."""
    name = session.scalar(select(Module.name).where(Module.id == row.module_id))
    ended: ModuleTrace = {"module": name, "module_id": str(row.module_id), "stage": row.stage}
    ended |= {"status": row.status.value.lower(), "message": row.status_message}
    add_to_trace(session, row, ended)


def add_to_trace(session: Session, row: ModuleExecution, entry: ModuleTrace) -> None:
    """Add how a run went to the trace of its turn."""
    runs = func.coalesce(TurnTrace.trace["executions"], cast([], JSONB)).op("||")(cast([entry], JSONB))
    trace = func.jsonb_set(TurnTrace.trace, cast(["executions"], ARRAY(Text)), runs)
    session.execute(update(TurnTrace).where(TurnTrace.turn_id == row.turn_id).values(trace=trace))
