"""What routes answer where a query only says whether."""

from collections.abc import Mapping

from flask import Response

from gateway.schemas.base import Output
from shared.errors import NotFound


def existed(there_was_one: bool, what: str, key: object) -> None:
    """Pass when something was deleted; raises NotFound otherwise."""
    if not there_was_one:
        raise NotFound(f"{what} {key} not found")


def as_json(schema: type[Output], row: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with another schema than the route's own."""
    return Response(schema.model_validate(row).model_dump_json(), status, headers, mimetype="application/json")
