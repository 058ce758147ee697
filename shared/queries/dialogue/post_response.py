"""How far the modules that follow a reply have come: what the listeners of its turn are told."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL
from shared.domain.trace import ModuleTrace
from shared.models import Module, ModuleExecution, Turn, TurnTrace
from shared.queries.dialogue.executions import LONGEST_WAIT


class AfterReply(NamedTuple):
    """How the modules after a reply ended, in that order, which are still to run, and whether that takes too long."""

    ended: tuple[ModuleTrace, ...] = ()
    waiting: tuple[str, ...] = ()
    is_late: bool = False


NOTHING = AfterReply()
# Statements of every glance are built once: building one costs as much as running it.
WAITING = (
    select(Module.name)
    .join(ModuleExecution, ModuleExecution.module_id == Module.id)
    .where(ModuleExecution.turn_id == bindparam("turn_id"), ModuleExecution.status.not_in(TERMINAL))
    .order_by(ModuleExecution.id)
)
ENDED = (
    select(TurnTrace.trace["executions"], Turn.completed_date < func.clock_timestamp() - LONGEST_WAIT)
    .join(Turn, Turn.id == TurnTrace.turn_id)
    .where(TurnTrace.turn_id == bindparam("turn_id"))
)


def after_reply(session: Session, turn_id: int, longest_wait: float) -> AfterReply:
    """Return how far the modules of a turn have come; its trace has their ends, in the order of their commits.

    After `longest_wait` seconds nobody waits for them any more.
    """
    # What waits is read first: what ends between the two statements is then in both, not in neither.
    waiting = session.scalars(WAITING, {"turn_id": turn_id}).all()
    given = {"turn_id": turn_id, "wait": longest_wait}
    ended, late = session.execute(ENDED, given).one_or_none() or (None, True)
    return AfterReply(tuple(ended or ()), tuple(waiting), late)


def list_unfinished(session: Session, turn_id: int) -> Sequence[int]:
    """Return the ids of a turn's runs that have not ended."""
    mine = select(ModuleExecution.id).where(ModuleExecution.turn_id == turn_id)
    return session.scalars(mine.where(ModuleExecution.status.not_in(TERMINAL)).order_by(ModuleExecution.id)).all()
