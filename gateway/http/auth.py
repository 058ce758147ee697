"""Who is asking, and whether they may: every route says which permission it needs, or that it needs none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import current_app, g, request

from shared.db import get_session
from shared.domain.access import Permission, expand
from shared.errors import Forbidden, Unauthorized
from shared.logs import correlation
from shared.queries.accounts import audit, keys
from shared.queries.scope import Scope
from shared.settings import Settings

CHALLENGE = 'Bearer realm="personae"'
PROXY_USER = "X-Auth-Request-User"
LONGEST_PROXY_USER = 128
NEEDS = "permission"  # where a view keeps what it needs; None is: nothing

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Identity:
    """Whoever holds the key, or whom the trusted proxy names."""

    holder: str
    owner_id: str
    permissions: frozenset[Permission]


def requires(permission: Permission) -> Callable[[View], View]:
    """Declare the permission that a route needs; goes below the route's own decorator."""

    def mark(view: View) -> View:
        view.__dict__[NEEDS] = permission
        return view

    return mark


def public(view: View) -> View:
    """Declare that a route needs no key."""
    view.__dict__[NEEDS] = None
    return view


def scope() -> Scope:
    """Return whose rows this request may see."""
    return Scope(identity().owner_id)


def identity() -> Identity:
    """Return who is asking; only a route with a permission has one."""
    found: Identity = g.identity
    return found


def install(app: APIFlask) -> None:
    """Identify before anything of the request's body is read."""
    app.before_request(authorise)
    app.teardown_request(lambda _error: audit.set_actor(None))
    public(app.view_functions["openapi.spec"])


def check_every_route(app: APIFlask) -> None:
    """Raise RuntimeError for a route that declares neither a permission nor that it is public."""
    silent = sorted(name for name, view in app.view_functions.items() if NEEDS not in view.__dict__)
    if silent:
        raise RuntimeError(f"routes without @requires or @public: {', '.join(silent)}")


def authorise() -> None:
    """Set the request's identity; raises Unauthorized or Forbidden."""
    view = current_app.view_functions.get(request.endpoint or "")
    needed: Permission | None = view.__dict__[NEEDS] if view else None
    if needed is None:
        return
    g.identity = found = identify(current_app.config["SETTINGS"])
    if needed not in found.permissions:
        raise Forbidden(f"this needs a key with the scope {needed}")
    made_by = f"{request.method} {request.path}"
    audit.set_actor(audit.Actor(found.holder, found.owner_id, made_by, correlation().get("correlation_id")))


def identify(settings: Settings) -> Identity:
    """Find out who is asking: by key, which decides even beside a proxy's header, else by the trusted proxy."""
    key = presented_key()
    if key:
        return _holder_of(key)
    user = request.headers.get(PROXY_USER, "") if settings.trust_proxy_headers else ""
    if user.isprintable() and 0 < len(user) <= LONGEST_PROXY_USER:
        return Identity(f"user:{user}", settings.proxy_owner, expand(settings.proxy_scopes.split(",")))
    raise Unauthorized("this needs an API key: Authorization: Bearer …, or X-API-Key")


def presented_key() -> str:
    """Return the key that the request carries, or nothing."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else request.headers.get("X-API-Key", "")


def _holder_of(key: str) -> Identity:
    with get_session() as session:
        row = keys.find_valid(session, key)
        if row is None:
            raise Unauthorized("this key is unknown, expired or revoked")
        keys.note_use(session, row)
        return Identity(f"key:{row.id}", row.owner_id, expand(row.scopes))
