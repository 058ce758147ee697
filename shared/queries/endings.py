"""What follows the end of a row of work, by its table; each function runs in the transaction that ends the row."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from shared.models.base import Work

OnEnd = Callable[[Session, Any], Iterable[str]]
OnCancel = Callable[[Session, Sequence[int]], Iterable[str]]
OnSetBack = Callable[[Session, Sequence[int]], Collection[int]]
Function = TypeVar("Function")

ON_END: dict[type[Work], OnEnd] = {}
ON_CANCEL: dict[type[Work], OnCancel] = {}
ON_SET_BACK: dict[type[Work], OnSetBack] = {}


def on_end(model: type[Work]) -> Callable[[OnEnd], OnEnd]:
    """Register what follows when a row of `model` ends in any terminal state.

    The function returns the names of the queues on which it made rows ready; their bells ring after the commit.
    """
    return _register(ON_END, model)


def on_cancel(model: type[Work]) -> Callable[[OnCancel], OnCancel]:
    """Register what follows, for all of them at once, when rows of `model` are cancelled that nobody worked on.

    The function is given their ids, and returns queues as one of `on_end` does, which is asked where there is none.
    """
    return _register(ON_CANCEL, model)


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


def hold_back(session: Session, model: type[Work], ids: Sequence[int]) -> Collection[int]:
    """Block those of the rows to be tried again that must wait, and return their ids."""
    decide = ON_SET_BACK.get(model)
    return decide(session, ids) if decide and ids else ()
