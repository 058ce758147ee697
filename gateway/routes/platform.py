"""Health, readiness and the database."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from apiflask import APIBlueprint
from flask import current_app

from gateway.http.auth import public, requires
from gateway.readiness import Readiness
from gateway.schemas.platform import DatabaseOut, HealthOut, ReadyOut
from shared.db import get_session
from shared.domain.access import Permission
from shared.errors import Unavailable
from shared.queries import database

bp = APIBlueprint("platform", __name__)


def installed_version() -> str:
    """Return the installed package's version; a bare checkout has none."""
    try:
        return version("personae")
    except PackageNotFoundError:
        return "unreleased"


@bp.get("/health")
@public
@bp.output(HealthOut)
def get_health() -> dict[str, Any]:
    """Say that the process answers.

    Needs no key and asks nothing else: for a load balancer. Whether work can be done is at /ready.
    """
    return {"status": "healthy", "service": "personae", "version": installed_version()}


@bp.get("/ready")
@public
@bp.output(ReadyOut)
def get_readiness() -> dict[str, Any]:
    """Say whether everything is there that work needs.

    Needs no key. `degraded` names what only some things need, such as the model server, with a reason; 503 says
    what is down.
    """
    readiness: Readiness = current_app.extensions["readiness"]
    health = readiness.ask()
    if health.down:
        raise Unavailable(f"not ready: {', '.join(health.down)}", **health._asdict())
    return {"status": "ready", "degraded": health.degraded}


@bp.get("/database/info")
@requires(Permission.ADMIN)
@bp.output(DatabaseOut)
def get_database_info() -> dict[str, Any]:
    """Describe the database.

    Its name, version, schema revision and tables, for an operator.
    """
    with get_session() as session:
        return database.describe(session)
