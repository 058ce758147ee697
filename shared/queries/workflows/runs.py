"""Workflow runs, in groups (seed 004)."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.models import LifecycleHistory, RunGroup, RunStep, WorkflowRun
from shared.queries.rows import Slice, found, page, removed
from shared.queries.scope import Scope, owned
from shared.queries.workflows import ingestion_jobs


def get_group(session: Session, scope: Scope, group_id: int) -> RunGroup:
    """Return a group of the scope's; raises NotFound."""
    return found(session.scalar(owned(RunGroup, scope).where(RunGroup.id == group_id)), "run group", group_id)


def list_groups(
    session: Session, scope: Scope, *, batch_id: int | None = None, limit: int, offset: int
) -> Slice[RunGroup]:
    """Return the scope's groups, newest first; of one batch where it is given."""
    statement = owned(RunGroup, scope).order_by(RunGroup.id.desc())
    if batch_id is not None:
        statement = statement.where(RunGroup.batch_id == batch_id)
    return page(session, statement, limit=limit, offset=offset)


def count_by_status(session: Session, group_id: int) -> dict[RunStatus, int]:
    """Count a group's runs by status."""
    statement = select(WorkflowRun.status, func.count()).where(WorkflowRun.run_group_id == group_id)
    return dict(session.execute(statement.group_by(WorkflowRun.status)).all())


def get(session: Session, scope: Scope, run_id: int) -> WorkflowRun:
    """Return a run of the scope's; raises NotFound."""
    mine = select(WorkflowRun).join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    run = session.scalar(mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.id == run_id))
    return found(run, "run", run_id)


def list_(session: Session, group_id: int, *, limit: int | None = None) -> Sequence[WorkflowRun]:
    """Return the runs of a group, oldest first."""
    statement = select(WorkflowRun).where(WorkflowRun.run_group_id == group_id)
    return session.scalars(statement.order_by(WorkflowRun.id).limit(limit)).all()


def ids_of(session: Session, group_id: int) -> Sequence[int]:
    """Return the ids of a group's runs, oldest first."""
    return session.scalars(
        select(WorkflowRun.id).where(WorkflowRun.run_group_id == group_id).order_by(WorkflowRun.id)
    ).all()


def list_steps(session: Session, run_ids: Collection[int]) -> Sequence[RunStep]:
    """Return the steps of some runs, in order."""
    statement = select(RunStep).where(RunStep.workflow_run_id.in_(run_ids))
    return session.scalars(statement.order_by(RunStep.workflow_run_id, RunStep.workflow_step_number)).all()


def list_history(session: Session, run_id: int) -> Sequence[LifecycleHistory]:
    """Return what happened to a run and its steps, oldest first."""
    statement = select(LifecycleHistory).where(LifecycleHistory.workflow_run_id == run_id)
    return session.scalars(statement.order_by(LifecycleHistory.id)).all()


class Deleted(NamedTuple):
    """How many rows of each kind went."""

    run_steps: int
    lifecycle_history: int
    workflow_runs: int


def delete_group(session: Session, scope: Scope, run_group_id: int) -> dict[str, int]:
    """Delete a group with its runs, their steps and their history; return seed 004's counters; raises NotFound."""
    get_group(session, scope, run_group_id)
    runs = select(WorkflowRun.id).where(WorkflowRun.run_group_id == run_group_id)
    lock_steps(session, runs)
    group = session.scalar(owned(RunGroup, scope).where(RunGroup.id == run_group_id).with_for_update())
    found(group, "run group", run_group_id)
    ingestion_jobs.abandon(session, run_group_id)
    of_the_group = (LifecycleHistory.run_group_id == run_group_id) & LifecycleHistory.workflow_run_id.is_(None)
    group_history = removed(session, delete(LifecycleHistory).where(of_the_group))
    deleted = delete_runs(session, runs)
    counters = {
        "deleted_runsteps": deleted.run_steps,
        "deleted_lifecyclehistory": group_history + deleted.lifecycle_history,
        "deleted_workflowruns": deleted.workflow_runs,
        "deleted_rungroups": removed(session, delete(RunGroup).where(RunGroup.id == run_group_id)),
    }
    return counters | {"total_deleted": sum(counters.values())}


def lock_steps(session: Session, run_ids: Select[int]) -> None:
    """Wait for the settlements of these runs' steps, and let none begin: they lock the step before all else."""
    session.execute(steps_of(run_ids).order_by(RunStep.id).with_for_update())


def steps_of(run_ids: Select[int]) -> Select[int]:
    """Select the steps of the runs that a statement selects."""
    return select(RunStep.id).where(RunStep.workflow_run_id.in_(run_ids))


def delete_runs(session: Session, run_ids: Select[int]) -> Deleted:
    """Delete the runs a statement selects; the history goes first, or the steps would take it with them uncounted."""
    history = removed(session, delete(LifecycleHistory).where(LifecycleHistory.workflow_run_id.in_(run_ids)))
    steps = removed(session, delete(RunStep).where(RunStep.workflow_run_id.in_(run_ids)))
    runs = removed(session, delete(WorkflowRun).where(WorkflowRun.id.in_(run_ids)))
    return Deleted(steps, history, runs)
