"""What worker-modules runs for somebody: waited for by whoever asked, and to be read afterwards."""

from functools import partial
from typing import Any

from apiflask import APIBlueprint
from flask import Response, url_for

from gateway.http.auth import requires, scope
from gateway.schemas.dialogue.executions import ExecutionOut, ResultOut, result_of
from gateway.streaming import cancelling
from gateway.streaming.waiting import failure, wait_until_ended
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.errors import Conflict
from shared.models import ModuleExecution
from shared.queries import on_demand

bp = APIBlueprint("executions", __name__, url_prefix="/api/v1/module-executions")
NOT_YET: dict[int, Any] = {
    202: {
        "description": "Not finished within 30 seconds, or not waited for: its result will be where `Location` says",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ExecutionOut"}}},
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}


@bp.get("/<int:execution_id>")
@requires(Permission.READ)
@bp.output(ResultOut)
def get_module_execution(execution_id: int) -> ResultOut:
    """Read a run and its result.

    The `result` is null until the run has ended.
    """
    with get_session() as session:
        return ResultOut.of(on_demand.get(session, scope(), execution_id))


@bp.post("/<int:execution_id>/cancel")
@requires(Permission.CHAT)
@bp.output(ExecutionOut, 202)
def cancel_module_execution(execution_id: int) -> ModuleExecution:
    """Stop the run of a module.

    A script is ended at once.
    """
    cancelling.cancel(ModuleExecution, [_read(execution_id).id])
    return _read(execution_id)


def started(told: ExecutionOut, *, wait: bool) -> Response:
    """Answer for a run that is committed, with its result or with where that will be."""
    return wait_for(told.id) if wait else not_yet(told)


def wait_for(execution_id: int) -> Response:
    """Answer with the result, or with the run after 30 seconds or when this process is leaving.

    Raises what the run failed with; no connection is held.
    """
    row = wait_until_ended(partial(_read, execution_id))
    if row.status not in TERMINAL:
        return not_yet(ExecutionOut.model_validate(row))
    if row.status is RunStatus.FAILED:
        raise failure(row, "result", execution_id=row.id)
    if row.status is RunStatus.CANCELLED:
        raise Conflict("the run was cancelled", execution_id=row.id)
    return Response(result_of(row).model_dump_json(), 200, mimetype="application/json")


def not_yet(told: ExecutionOut) -> Response:
    """Answer with the run, and where its result will be."""
    where = url_for("executions.get_module_execution", execution_id=told.id)
    return Response(told.model_dump_json(), 202, {"Location": where}, mimetype="application/json")


def _read(execution_id: int) -> ModuleExecution:
    with get_session() as session:
        return on_demand.get(session, scope(), execution_id)
