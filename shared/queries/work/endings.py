"""What follows when rows of work end or are set back, by their table, in the transaction that does it."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.models.base import Work
from shared.queries.work import locks

OnEnd = Callable[[Session, Any], None]
Together = Callable[[Session, Sequence[int]], object]  # given the ids of rows that were cancelled together
OnSetBack = Callable[[Session, Sequence[int]], Collection[int]]
LockEnds = Callable[[Session, Sequence[Any]], None]


class Endings(NamedTuple):
    """What a kind of work declares about the ends of its rows.

    `on_end` is called for each row that ends, in any terminal state, by the transaction that ends it and has locked it.
    It may lock what stands behind the row in the order of locks (ARCHITECTURE), and passes over rows of work that
    others have locked (`locks.make_ready`). What it raises undoes the end. `on_set_back` is given the ids of rows that
    are to be tried again; it blocks those that must wait, and returns their ids. `lock` locks, in one order, all that
    the ends of several rows touch one after the other.
    """

    on_end: OnEnd | None = None
    on_set_back: OnSetBack | None = None
    lock: LockEnds | None = None


_OF: dict[type[Work], Endings] = {}


def declare(model: type[Work], endings: Endings) -> None:
    """Say what follows for the rows of a table; raises ValueError when that was said before."""
    if model in _OF:
        raise ValueError(f"{model.__name__} is declared already")
    _OF[model] = endings


def follow(session: Session, rows: Sequence[Work]) -> None:
    """Do what follows the end of rows of one table, or their being set back; a KeyError tells of an undeclared one."""
    if not rows:
        return
    endings = _OF[type(rows[0])]
    if len(rows) > 1 and endings.lock:
        endings.lock(session, rows)
    session.flush()
    for row in rows:
        if row.status in TERMINAL and endings.on_end:
            endings.on_end(session, row)
    again = [row for row in rows if row.status not in TERMINAL]
    blocked = hold_back(session, type(rows[0]), [row.id for row in again])
    for row in again:
        if row.status is RunStatus.PENDING and row.id not in blocked:
            locks.wake_for(session, row)


def hold_back(session: Session, model: type[Work], ids: Sequence[int]) -> Collection[int]:
    """Block those of the rows to be tried again that must wait, and return their ids."""
    decide = _OF[model].on_set_back
    return decide(session, ids) if decide and ids else ()
