"""The one order of locks: rows of work by their ids, then what they belong to (ARCHITECTURE: who locks what first)."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, collate, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from shared.db import wake
from shared.domain.lifecycle import UNFINISHED, RunStatus
from shared.models import Conversation, DocumentURI, MemoryWindow, ModuleExecution, Turn
from shared.models.base import Work

WorkRow = TypeVar("WorkRow", bound=Work)
# The settlement of a module writes its row twice, and Postgres locks then what it refers to: its turn.
OF_CONVERSATIONS = (ModuleExecution, Turn, MemoryWindow)
NEWEST = 10_000
PLACES = (collate(DocumentURI.uri, "C"), collate(DocumentURI.source, "C"), DocumentURI.id)


def lock_rows(session: Session, model: type[WorkRow], ids: Iterable[int]) -> list[WorkRow]:
    """Lock rows of work in the order of their ids, and return those that there are, as they are now."""
    these = select(model).where(model.id.in_(ids)).order_by(model.id).with_for_update(key_share=True)
    return list(session.scalars(these, execution_options={"populate_existing": True}))


def make_ready(session: Session, rows: Iterable[WorkRow]) -> bool:
    """Unblock rows of one table that wait for a predecessor, and wake workers for them; say whether there was one.

    What another holds is left alone: they end it, and do what follows, or wait for what we hold. Where they give up,
    the sweep finds it.
    """
    blocked = [row for row in rows if row.status is RunStatus.PENDING and row.ready_at is None]
    if not blocked:
        return False
    made = session.scalars(
        _make_ready(type(blocked[0])),
        {"ids": [row.id for row in blocked]},
        execution_options={"populate_existing": True, "synchronize_session": False},
    ).all()
    for row in made:
        wake_for(session, row)
    return bool(made)


def wake_for(session: Session, row: Work) -> None:
    """Wake a worker for a row that is ready, when this transaction has committed."""
    wake(session, row.queue, f"{row.__tablename__} {row.id}")


@cache
def _make_ready(model: type[WorkRow]) -> ReturningUpdate[tuple[WorkRow]]:
    still = model.id.in_(bindparam("ids", expanding=True)), model.status == RunStatus.PENDING, model.ready_at.is_(None)
    free = select(model.id).where(*still).with_for_update(key_share=True, skip_locked=True)
    return update(model).where(model.id.in_(free)).values(ready_at=func.clock_timestamp()).returning(model)


def lock_work_then(session: Session, work: Sequence[Select[int]], parents: Callable[[], object]) -> None:
    """Lock the rows of work that these statements select, by their ids, and then with `parents` what they belong to.

    A row that was added in between may be held by one who waits for what we have locked: all is let go of, and locked
    again. At the end everything is locked, and nobody can add a row.
    """
    while True:
        with session.begin_nested() as attempt:
            known = _lock_selected(session, work)
            parents()
            if _selected(session, work) <= known:
                return
            attempt.rollback()


def _lock_selected(session: Session, work: Sequence[Select[int]]) -> set[tuple[int, int]]:
    return {
        (number, row_id)
        for number, rows in enumerate(work)
        for row_id in session.scalars(rows.order_by(*rows.selected_columns).with_for_update())
    }


def _selected(session: Session, work: Sequence[Select[int]]) -> set[tuple[int, int]]:
    return {(number, row_id) for number, rows in enumerate(work) for row_id in session.scalars(rows)}


def of_conversations(conversations: Select[UUID]) -> list[Select[int]]:
    """Select the rows of work that go with conversations, each table apart, in the order of their settlements."""
    return [select(model.id).where(model.conversation_id.in_(conversations)) for model in OF_CONVERSATIONS]


def lock_conversations(session: Session, these: Select[UUID], owner: Callable[[], object] = lambda: None) -> None:
    """Lock conversations that are to be deleted, behind their rows of work and with their `owner`, who can add none."""

    def parents() -> None:
        owner()
        session.execute(these.order_by(Conversation.id).with_for_update())

    lock_work_then(session, of_conversations(these), parents)


def is_new(model: type[Work]) -> ColumnElement[bool]:
    """Say that a row is among the newest: no index knows which are blocked, and those that stall did so just now."""
    return model.id > select(func.coalesce(func.max(aliased(model).id), 0) - NEWEST).scalar_subquery()


def stalled(model: type[Work], parent: InstrumentedAttribute[Any]) -> Select[Any]:
    """Select parents of which rows are blocked, and none is ready, under way or in backoff that would unblock them."""
    other = aliased(model)
    waits = and_(other.status == RunStatus.PENDING, other.ready_at.is_(None))
    alive = exists().where(getattr(other, parent.key) == parent, other.status.in_(UNFINISHED), ~waits)
    blocked = model.status == RunStatus.PENDING, model.ready_at.is_(None)
    return select(parent).where(*blocked, parent.is_not(None), ~alive).distinct().order_by(parent).limit(100)
