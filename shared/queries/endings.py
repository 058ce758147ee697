"""What follows the end of a row of work, by its table; each function runs in the transaction that ends the row."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.models.base import Work

OnEnd = Callable[[Session, Any], Iterable[str]]
FollowAll = Callable[[Session, Sequence[int]], Iterable[str]]  # given the ids of rows that were cancelled together
OnSetBack = Callable[[Session, Sequence[int]], Collection[int]]
Function = TypeVar("Function")

ON_END: dict[type[Work], OnEnd] = {}
ON_SET_BACK: dict[type[Work], OnSetBack] = {}


def on_end(model: type[Work]) -> Callable[[OnEnd], OnEnd]:
    """Register what follows when a row of `model` ends in any terminal state.

    The function returns the names of the queues on which it made rows ready; their bells ring after the commit.
    """
    return _register(ON_END, model)


def on_set_back(model: type[Work]) -> Callable[[OnSetBack], OnSetBack]:
    """Register what decides which rows of `model` that are to be tried again must wait.

    The function is given the ids of rows that failed for now, lost their worker, or were handed back. It blocks those
    that must wait and returns their ids.
    """
    return _register(ON_SET_BACK, model)


def _register(registry: dict[type[Work], Function], model: type[Work]) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        if model in registry:
            raise ValueError(f"{model.__name__} has one already")
        registry[model] = function
        return function

    return register


def after_end(session: Session, row: Work) -> Iterable[str]:
    """Do what follows the end of a row; return the queues on which rows became ready."""
    follow = ON_END.get(type(row))
    return follow(session, row) if follow else ()


def set_back(session: Session, rows: Sequence[Work]) -> set[str]:
    """Let rows wait that are to be tried again; return the queues of those that are runnable at once."""
    alike: dict[type[Work], list[Work]] = {}
    for row in rows:
        alike.setdefault(type(row), []).append(row)
    blocked = {(model, id) for model, them in alike.items() for id in hold_back(session, model, [r.id for r in them])}
    return {row.queue for row in rows if row.status is RunStatus.PENDING and (type(row), row.id) not in blocked}


def hold_back(session: Session, model: type[Work], ids: Sequence[int]) -> Collection[int]:
    """Block those of the rows to be tried again that must wait, and return their ids."""
    decide = ON_SET_BACK.get(model)
    return decide(session, ids) if decide and ids else ()
