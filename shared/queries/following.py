"""How far the modules that follow a reply have come: what the listeners of its turn are told."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL
from shared.models import Module, ModuleExecution, Turn, TurnTrace
from shared.settings import get_settings


class AfterReply(NamedTuple):
    """How the modules after a reply ended, in that order, which are still to run, and whether that takes too long."""

    ended: tuple[dict[str, Any], ...] = ()
    waiting: tuple[str, ...] = ()
    is_late: bool = False


NOTHING = AfterReply()


def after_reply(session: Session, turn_id: int) -> AfterReply:
    """Return how far the modules of a turn have come; its trace has their ends, in the order of their commits."""
    names = select(Module.name).join(ModuleExecution, ModuleExecution.module_id == Module.id)
    mine = names.where(ModuleExecution.turn_id == turn_id, ModuleExecution.status.not_in(TERMINAL))
    # What waits is read first: what ends between the two statements is then in both, not in neither.
    waiting = session.scalars(mine.order_by(ModuleExecution.id)).all()
    longest = func.make_interval(0, 0, 0, 0, 0, 0, get_settings().post_response_wait)
    is_late = Turn.completed_date < func.clock_timestamp() - longest
    told = select(TurnTrace.trace["executions"], is_late).join(Turn, Turn.id == TurnTrace.turn_id)
    ended, late = session.execute(told.where(TurnTrace.turn_id == turn_id)).one_or_none() or (None, True)
    return AfterReply(tuple(ended or ()), tuple(waiting), late)


def list_unfinished(session: Session, turn_id: int) -> Sequence[int]:
    """Return the ids of a turn's runs that have not ended."""
    mine = select(ModuleExecution.id).where(ModuleExecution.turn_id == turn_id)
    return session.scalars(mine.where(ModuleExecution.status.not_in(TERMINAL)).order_by(ModuleExecution.id)).all()
