"""Templates of prompts."""

from typing import Any

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.idempotency import begun, idempotent
from gateway.http.quotas import adds_work
from gateway.routes.dialogue.executions import NOT_YET, started
from gateway.schemas.dialogue.executions import ExecutionOut, ResolvedOut, ResolveIn, WaitQuery
from gateway.schemas.personas.templates import TemplateIn, TemplateOut
from shared.db import get_session
from shared.domain.access import Permission
from shared.logs import correlation
from shared.queries import on_demand
from shared.queries.personas import modules

bp = APIBlueprint("templates", __name__, url_prefix="/api/v1/templates")


@bp.post("/validate")
@requires(Permission.WRITE)
@bp.input(TemplateIn)
@bp.output(TemplateOut)
def validate_template(json_data: TemplateIn) -> TemplateOut:
    """Say what a template refers to.

    Which modules are there, and which are missing; nothing is executed.
    """
    with get_session() as session:
        return TemplateOut.model_validate(modules.examine_template(session, scope(), json_data.template))


@bp.post("/resolve")
@requires(Permission.WRITE)
@adds_work
@idempotent
@bp.input(WaitQuery, location="query")
@bp.input(ResolveIn)
@bp.output(ResolvedOut)
@bp.doc(responses=NOT_YET)
def resolve_template(query_data: WaitQuery, json_data: ResolveIn) -> Any:
    """Put a template's modules in place.

    The template of a persona, or another, as a turn would have it before the model is asked; waits as `run_module`
    does.
    """
    template_, asked = json_data.template, json_data.asked()
    told = begun(
        ExecutionOut,
        lambda session: on_demand.add_resolution(session, scope(), template_, asked, meta=correlation()),
    )
    return started(told, wait=query_data.wait)
