"""Lists: asked for by `limit` and `offset` or by `page` and `rows_per_page`, answered with both."""

from typing import Any, Generic, Self, TypeVar

from pydantic import Field, model_validator

from gateway.schemas.base import Input, Output
from shared.queries.rows import Slice

Item = TypeVar("Item")
LARGEST_PAGE = 500
LARGEST_OFFSET = 2**31 - 1


class PageQuery(Input):
    """Which slice of a list; at most one of the two ways to say it."""

    limit: int = Field(default=100, ge=1, le=LARGEST_PAGE)
    offset: int = Field(default=0, ge=0, le=LARGEST_OFFSET)
    page: int | None = Field(default=None, ge=1, le=LARGEST_OFFSET // LARGEST_PAGE)
    rows_per_page: int | None = Field(default=None, ge=1, le=LARGEST_PAGE)

    @model_validator(mode="after")
    def _one_way_only(self) -> Self:
        by_page = self.page is not None or self.rows_per_page is not None
        if by_page and {"limit", "offset"} & self.model_fields_set:
            raise ValueError("ask by limit and offset or by page and rows_per_page, not by both")
        return self

    def slice(self) -> dict[str, int]:
        """Return `limit` and `offset` for a query."""
        if self.page is None and self.rows_per_page is None:
            return {"limit": self.limit, "offset": self.offset}
        rows = self.rows_per_page or 10  # seed 004's default
        return {"limit": rows, "offset": ((self.page or 1) - 1) * rows}

    def arguments(self) -> dict[str, Any]:
        """Return what a list's query takes: the filters that a subclass adds, `limit` and `offset`."""
        return self.model_dump(exclude=set(PageQuery.model_fields)) | self.slice()


class Page(Output, Generic[Item]):
    """A slice of a list, and how much there is in all."""

    items: list[Item]
    total: int
    limit: int
    offset: int
    page: int
    rows_per_page: int
    total_pages: int


def page_of(found: Slice[Any], query: PageQuery) -> dict[str, Any]:
    """Return what a Page is made of, for a route to answer with."""
    limit, offset = query.slice().values()
    return {
        "items": found,
        "total": found.total,
        "limit": limit,
        "offset": offset,
        "page": offset // limit + 1,
        "rows_per_page": limit,
        "total_pages": -(-found.total // limit),
    }
