"""What every query does with rows: insist on one, page through many, count the deleted, refuse the second of a kind."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, TypeVar, cast

from psycopg2.errors import UniqueViolation
from sqlalchemy import CursorResult, Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Delete

from shared.errors import Conflict, NotFound

Row = TypeVar("Row")


def found(row: Row | None, what: str, key: object) -> Row:
    """Return the row; raises NotFound, naming what was looked for, where there is none."""
    if row is None:
        raise NotFound(f"{what} {key} not found")
    return row


class Slice(list[Row]):
    """Some rows of a list; `total` counts them all, when it is asked for while the session is open."""

    def __init__(self, rows: Iterable[Row], count: Callable[[], int]) -> None:
        super().__init__(rows)
        self._count = count

    @cached_property
    def total(self) -> int:
        """How many rows there are without the limit and the offset."""
        return self._count()


def page(session: Session, statement: Select[Row], *, limit: int, offset: int) -> Slice[Row]:
    """Return `limit` rows of a statement in a fixed order, after the first `offset`."""
    rows = session.scalars(statement.limit(limit).offset(offset))
    return Slice(rows, partial(_count, session, statement))


def page_of_columns(session: Session, statement: Select[*tuple[Any, ...]], *, limit: int, offset: int) -> Slice[Any]:
    """Do the same for a statement that selects several columns; they are attributes of its rows."""
    rows = session.execute(statement.limit(limit).offset(offset))
    return Slice(rows, partial(_count, session, statement))


def _count(session: Session, statement: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0


def removed(session: Session, statement: Delete, *, of: object = "") -> int:
    """Execute a DELETE and return how many rows it took; `of` is the id that the audit log names."""
    result = session.execute(statement, execution_options={"audit": of})
    return cast("CursorResult[Any]", result).rowcount


@contextmanager
def refusing_duplicates(session: Session, message: str) -> Iterator[None]:
    """Write what changes inside; raises Conflict, the transaction still good, where it would not be unique."""
    try:
        with session.begin_nested():
            yield
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            raise Conflict(message) from error
        raise
