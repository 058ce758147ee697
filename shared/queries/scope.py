"""Whose rows a query may see: the second argument of every query."""

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, select

from shared.models.base import DEFAULT_OWNER, Owned

Row = TypeVar("Row", bound=Owned)


@dataclass(frozen=True)
class Scope:
    """One owner's rows."""

    owner_id: str


DEFAULT_SCOPE = Scope(DEFAULT_OWNER)


def owned(model: type[Row], scope: Scope) -> Select[Row]:
    """Select the scope's rows of an owned table."""
    return select(model).where(model.owner_id == scope.owner_id)


def owner_of(scope: Scope) -> dict[str, Any]:
    """Return the columns that give a new row to the scope's owner."""
    return {"owner_id": scope.owner_id}
