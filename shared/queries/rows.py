"""What every query does with rows: insist on one, page through many, count the deleted, refuse the second of a kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from psycopg2.errors import UniqueViolation
from sqlalchemy import CursorResult, Select
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


def page(session: Session, statement: Select[Row], *, limit: int, offset: int) -> list[Row]:
    """Return `limit` rows of a statement in a fixed order, after the first `offset`."""
    return list(session.scalars(statement.limit(limit).offset(offset)))


def removed(session: Session, statement: Delete) -> int:
    """Execute a DELETE and return how many rows it took."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


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
