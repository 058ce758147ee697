"""Runs of documents, in groups: watched, cancelled, paused, resumed, retried (seed 004)."""

from collections.abc import Callable, Sequence
from typing import Any

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.quotas import adds_work
from gateway.schemas.paging import page_of
from gateway.schemas.workflows.workflow import GroupOut, GroupPage, GroupQuery, GroupWithRuns, RunOut, RunWithSteps
from gateway.streaming import cancelling
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.models import RunGroup, RunStep, WorkflowRun
from shared.queries.accounts import audit
from shared.queries.workflows import control, progress, runs

bp = APIBlueprint("workflow", __name__, url_prefix="/api/v1/workflow")
MOST_RUNS = 500
Steer = Callable[[Session, Sequence[int]], None]


@bp.get("/run-groups")
@requires(Permission.READ)
@bp.input(GroupQuery, location="query")
@bp.output(GroupPage)
def list_run_groups(query_data: GroupQuery) -> dict[str, Any]:
    """List groups of runs, newest first.

    An ingestion of a collection is one, the start of a batch another.
    """
    with get_session() as session:
        return page_of(runs.list_groups(session, scope(), **query_data.arguments()), query_data)


@bp.get("/run-groups/<int:run_group_id>")
@requires(Permission.READ)
@bp.output(GroupWithRuns)
def get_run_group(run_group_id: int) -> dict[str, Any]:
    """Read a group with its runs.

    How many are in which status, and the first 500 one by one.
    """
    with get_session() as session:
        group = runs.get_group(session, scope(), run_group_id)
        told = progress.of_groups(session, [group.id])[group.id]
        first = runs.list_(session, group.id, limit=MOST_RUNS)
    return GroupOut.model_validate(group).model_dump() | told._asdict() | {"runs": first}


@bp.post("/run-groups/<int:run_group_id>/cancel")
@requires(Permission.WRITE)
@bp.output(GroupOut, 202)
def cancel_run_group(run_group_id: int) -> RunGroup:
    """Stop the runs of a group.

    What is finished stays.
    """
    with get_session() as session:
        running = control.cancel(session, runs_of(session, run_group_id))
        audit.record(session, "cancel", RunGroup.__tablename__, run_group_id)
    cancelling.announce(RunStep, running)
    return group_now(run_group_id)


@bp.post("/run-groups/<int:run_group_id>/pause")
@requires(Permission.WRITE)
@bp.output(GroupOut, 202)
def pause_run_group(run_group_id: int) -> RunGroup:
    """Pause the runs of a group.

    A step that is being worked on ends first.
    """
    return steer_group(control.pause, run_group_id)


@bp.post("/run-groups/<int:run_group_id>/resume")
@requires(Permission.WRITE)
@bp.output(GroupOut, 202)
def resume_run_group(run_group_id: int) -> RunGroup:
    """Go on with the runs of a group.

    Those that were paused.
    """
    return steer_group(control.resume, run_group_id)


@bp.post("/run-groups/<int:run_group_id>/retry")
@requires(Permission.WRITE)
@adds_work
@bp.output(GroupOut, 202)
def retry_run_group(run_group_id: int) -> RunGroup:
    """Begin again what failed in a group.

    From the step that failed.
    """
    return steer_group(control.retry, run_group_id)


@bp.get("/runs/<int:run_id>")
@requires(Permission.READ)
@bp.output(RunWithSteps)
def get_run(run_id: int) -> dict[str, Any]:
    """Read a run with its steps and what happened to them.

    A step is work of the kind `steps`: ask `get_why` about it.
    """
    with get_session() as session:
        run = runs.get(session, scope(), run_id)
        steps, lifecycle = runs.list_steps(session, [run.id]), runs.list_history(session, run.id)
    return RunOut.model_validate(run).model_dump() | {"steps": steps, "lifecycle": lifecycle}


@bp.post("/runs/<int:run_id>/cancel")
@requires(Permission.WRITE)
@bp.output(RunOut, 202)
def cancel_run(run_id: int) -> WorkflowRun:
    """Stop the run of a document.

    What is finished stays.
    """
    with get_session() as session:
        running = control.cancel(session, [runs.get(session, scope(), run_id).id])
        audit.record(session, "cancel", WorkflowRun.__tablename__, run_id)
    cancelling.announce(RunStep, running)
    return run_now(run_id)


@bp.post("/runs/<int:run_id>/pause")
@requires(Permission.WRITE)
@bp.output(RunOut, 202)
def pause_run(run_id: int) -> WorkflowRun:
    """Pause a run.

    A step that is being worked on ends first.
    """
    return steer_run(control.pause, run_id)


@bp.post("/runs/<int:run_id>/resume")
@requires(Permission.WRITE)
@bp.output(RunOut, 202)
def resume_run(run_id: int) -> WorkflowRun:
    """Go on with a paused run.

    From where it was.
    """
    return steer_run(control.resume, run_id)


@bp.post("/runs/<int:run_id>/retry")
@requires(Permission.WRITE)
@adds_work
@bp.output(RunOut, 202)
def retry_run(run_id: int) -> WorkflowRun:
    """Begin again what failed in a run.

    From the step that failed.
    """
    return steer_run(control.retry, run_id)


def steer_group(steer: Steer, run_group_id: int) -> RunGroup:
    """Pause, resume or retry a group's runs, and return the group as it is then."""
    with get_session() as session:
        steer(session, runs_of(session, run_group_id))
        audit.record(session, steer.__name__, RunGroup.__tablename__, run_group_id)
    return group_now(run_group_id)


def steer_run(steer: Steer, run_id: int) -> WorkflowRun:
    """Pause, resume or retry a run, and return it as it is then."""
    with get_session() as session:
        steer(session, [runs.get(session, scope(), run_id).id])
        audit.record(session, steer.__name__, WorkflowRun.__tablename__, run_id)
    return run_now(run_id)


def runs_of(session: Session, run_group_id: int) -> Sequence[int]:
    """Return the ids of a group's runs; raises NotFound."""
    group = runs.get_group(session, scope(), run_group_id)
    return runs.ids_of(session, group.id)


def group_now(run_group_id: int) -> RunGroup:
    """Return a group as it is now."""
    with get_session() as session:
        return runs.get_group(session, scope(), run_group_id)


def run_now(run_id: int) -> WorkflowRun:
    """Return a run as it is now; raises NotFound."""
    with get_session() as session:
        return runs.get(session, scope(), run_id)
