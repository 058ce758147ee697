"""People who talk to personas."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.routes.answers import existed
from gateway.schemas.accounts.users import KnownUserIn, KnownUserOut, UserChange, UserIn, UserOut, UserPage
from gateway.schemas.paging import PageQuery, page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import User
from shared.queries.accounts import users

bp = APIBlueprint("users", __name__, url_prefix="/api/v1/users")

ADDED: dict[int, Any] = {
    201: {
        "description": "The user was not known and is now",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/KnownUserOut"}}},
    }
}


@bp.post("")
@requires(Permission.WRITE)
@bp.input(UserIn)
@bp.output(UserOut, 201)
def create_user(json_data: UserIn) -> User:
    """Add a user.

    Somebody who talks to personas, by name, e-mail or the caller's own identifier; conversations may be theirs.
    """
    with get_session() as session:
        return users.add(session, scope(), **dict(json_data))


@bp.put("/by-external-id")
@requires(Permission.WRITE)
@bp.input(KnownUserIn)
@bp.output(KnownUserOut)
@bp.doc(responses=ADDED)
def get_or_create_user(json_data: KnownUserIn) -> tuple[dict[str, Any], int]:
    """Find a user by the caller's own identifier, or add one.

    200 where the user was known, 201 where it was added.
    """
    with get_session() as session:
        user, created = users.get_or_add(session, scope(), **dict(json_data))
    return {"user": user, "created": created}, 201 if created else 200


@bp.get("")
@requires(Permission.READ)
@bp.input(PageQuery, location="query")
@bp.output(UserPage)
def list_users(query_data: PageQuery) -> dict[str, Any]:
    """List users, oldest first.

    Each owner sees their own.
    """
    with get_session() as session:
        return page_of(users.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<uuid:user_id>")
@requires(Permission.READ)
@bp.output(UserOut)
def get_user(user_id: UUID) -> User:
    """Read a user.

    By our id; by the caller's own it is `get_or_create_user`.
    """
    with get_session() as session:
        return users.get(session, scope(), user_id)


@bp.patch("/<uuid:user_id>")
@requires(Permission.WRITE)
@bp.input(UserChange)
@bp.output(UserOut)
def change_user(user_id: UUID, json_data: UserChange) -> User:
    """Change what is sent of a user.

    What is not sent stays as it is.
    """
    with get_session() as session:
        return json_data.apply_to(users.get(session, scope(), user_id))


@bp.delete("/<uuid:user_id>")
@requires(Permission.WRITE)
@bp.output({}, 204)
def delete_user(user_id: UUID) -> str:
    """Delete a user with every conversation and message.

    There is no way back.
    """
    with get_session() as session:
        existed(users.delete_(session, scope(), user_id), "user", user_id)
    return ""
