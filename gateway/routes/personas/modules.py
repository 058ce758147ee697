"""Modules of prompts."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.idempotency import begun, idempotent
from gateway.http.quotas import adds_work
from gateway.routes.dialogue.executions import NOT_YET, started
from gateway.schemas.dialogue.executions import ExecutionOut, FunctionsOut, RanOut, RunIn, ScriptIn, WaitQuery
from gateway.schemas.paging import page_of
from gateway.schemas.personas.modules import ModuleChange, ModuleIn, ModuleOut, ModulePage, ModuleQuery
from gateway.streaming import cancelling
from shared.db import get_session
from shared.domain.access import Permission
from shared.logs import correlation
from shared.models import Module, ModuleExecution
from shared.queries import on_demand
from shared.queries.personas import modules
from shared.scripting.catalogue import FUNCTIONS

bp = APIBlueprint("modules", __name__, url_prefix="/api/v1/modules")


@bp.post("")
@requires(Permission.WRITE)
@bp.input(ModuleIn)
@bp.output(ModuleOut, 201)
def create_module(json_data: ModuleIn) -> Module:
    """Add a module.

    A piece of a prompt, to which templates refer as `@name`: a text, or a text that a script fills in. `warnings`
    says why the script will fail as it is.
    """
    with get_session() as session:
        return modules.add(session, scope(), json_data.given())


@bp.get("")
@requires(Permission.READ)
@bp.input(ModuleQuery, location="query")
@bp.output(ModulePage)
def list_modules(query_data: ModuleQuery) -> dict[str, Any]:
    """List modules, newest first.

    Active ones unless `active_only=false`.
    """
    with get_session() as session:
        return page_of(modules.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<uuid:module_id>")
@requires(Permission.READ)
@bp.output(ModuleOut)
def get_module(module_id: UUID) -> Module:
    """Read a module.

    `script_analysis_metadata` holds what the analysis of its script found.
    """
    with get_session() as session:
        return modules.get(session, scope(), module_id)


@bp.patch("/<uuid:module_id>")
@requires(Permission.WRITE)
@bp.input(ModuleChange)
@bp.output(ModuleOut)
def change_module(module_id: UUID, json_data: ModuleChange) -> Module:
    """Change what is sent of a module.

    A changed script is analysed again; `warnings` says why it will fail as it is.
    """
    with get_session() as session:
        return modules.update(session, scope(), module_id, json_data.given())


@bp.delete("/<uuid:module_id>")
@requires(Permission.WRITE)
@bp.output({}, 204)
def delete_module(module_id: UUID) -> str:
    """Delete a module with what its scripts kept.

    Its unfinished runs are cancelled.
    """
    with get_session() as session:
        running = modules.delete_(session, scope(), module_id)
    cancelling.announce(ModuleExecution, running)
    return ""


@bp.post("/<uuid:module_id>/run")
@requires(Permission.CHAT)
@adds_work
@idempotent
@bp.input(WaitQuery, location="query")
@bp.input(RunIn)
@bp.output(RanOut)
@bp.doc(responses=NOT_YET)
def run_module(module_id: UUID, query_data: WaitQuery, json_data: RunIn) -> Any:
    """Run a module without a turn.

    In a conversation, for a persona, or alone. The answer is the result, or after 30 seconds (`?wait=false`: at
    once) 202 with the run, whose result will be where `Location` says.
    """
    told = begun(
        ExecutionOut,
        lambda session: on_demand.add_run(session, scope(), module_id, json_data.asked(), meta=correlation()),
    )
    return started(told, wait=query_data.wait)


@bp.post("/test-script")
@requires(Permission.WRITE)
@adds_work
@idempotent
@bp.input(WaitQuery, location="query")
@bp.input(ScriptIn)
@bp.output(RanOut)
@bp.doc(responses=NOT_YET)
def test_script(query_data: WaitQuery, json_data: ScriptIn) -> Any:
    """Try a script that is not saved.

    As `run_module`: the answer says what it printed, what it set, and where it failed.
    """
    given, asked = (json_data.script, json_data.content), json_data.asked()
    told = begun(ExecutionOut, lambda session: on_demand.add_test(session, scope(), *given, asked, meta=correlation()))
    return started(told, wait=query_data.wait)


@bp.get("/plugin-functions")
@requires(Permission.READ)
@bp.output(FunctionsOut)
def list_functions() -> dict[str, Any]:
    """List what scripts may call.

    Every function of `ctx` with its parameters.
    """
    return {"functions": [*FUNCTIONS.values()], "total_count": len(FUNCTIONS)}
