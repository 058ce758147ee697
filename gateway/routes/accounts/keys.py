"""API keys, for administrators."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.schemas.accounts.keys import KeyIn, KeyOut, KeyPage, NewKeyOut
from gateway.schemas.paging import PageQuery, page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import ApiKey
from shared.queries.accounts import keys

bp = APIBlueprint("keys", __name__, url_prefix="/api/v1/keys")


@bp.post("")
@requires(Permission.ADMIN)
@bp.input(KeyIn)
@bp.output(NewKeyOut, 201)
def create_key(json_data: KeyIn) -> NewKeyOut:
    """Make an API key.

    The answer holds the key, this once. `read` reads; `chat` talks and searches, `write` changes, each with
    reading; `admin` may do all.
    """
    with get_session() as session:
        issued = keys.add(session, scope(), **dict(json_data))
        session.refresh(issued.row)
        return NewKeyOut(**KeyOut.model_validate(issued.row).model_dump(), key=issued.key)


@bp.get("")
@requires(Permission.ADMIN)
@bp.input(PageQuery, location="query")
@bp.output(KeyPage)
def list_keys(query_data: PageQuery) -> dict[str, Any]:
    """List keys, newest first.

    By name and prefix; the keys themselves are not kept.
    """
    with get_session() as session:
        return page_of(keys.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<uuid:key_id>")
@requires(Permission.ADMIN)
@bp.output(KeyOut)
def get_key(key_id: UUID) -> ApiKey:
    """Read about a key.

    When it was made and last used, and whether it still works.
    """
    with get_session() as session:
        return keys.get(session, scope(), key_id)


@bp.delete("/<uuid:key_id>")
@requires(Permission.ADMIN)
@bp.output(KeyOut)
def revoke_key(key_id: UUID) -> ApiKey:
    """Revoke a key.

    It stops working at once and stays in the list.
    """
    with get_session() as session:
        return keys.revoke(session, scope(), key_id)
