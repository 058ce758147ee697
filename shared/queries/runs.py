"""Workflow runs, in groups (seed 004)."""

from typing import NamedTuple

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from shared.models import LifecycleHistory, RunGroup, RunStep, WorkflowRun
from shared.queries.rows import found, removed
from shared.queries.scope import Scope, owned


class Deleted(NamedTuple):
    """How many rows of each kind went."""

    run_steps: int
    lifecycle_history: int
    workflow_runs: int


def delete_group(session: Session, scope: Scope, run_group_id: int) -> dict[str, int]:
    """Delete a group with its runs, their steps and their history; return seed 004's counters; raises NotFound."""
    group = session.scalar(owned(RunGroup, scope).where(RunGroup.id == run_group_id).with_for_update())
    found(group, "run group", run_group_id)
    of_the_group = (LifecycleHistory.run_group_id == run_group_id) & LifecycleHistory.workflow_run_id.is_(None)
    group_history = removed(session, delete(LifecycleHistory).where(of_the_group))
    deleted = delete_runs(session, select(WorkflowRun.id).where(WorkflowRun.run_group_id == run_group_id))
    counters = {
        "deleted_runsteps": deleted.run_steps,
        "deleted_lifecyclehistory": group_history + deleted.lifecycle_history,
        "deleted_workflowruns": deleted.workflow_runs,
        "deleted_rungroups": removed(session, delete(RunGroup).where(RunGroup.id == run_group_id)),
    }
    return counters | {"total_deleted": sum(counters.values())}


def delete_runs(session: Session, run_ids: Select[int]) -> Deleted:
    """Delete the runs a statement selects; the history goes first, or the steps would take it with them uncounted."""
    history = removed(session, delete(LifecycleHistory).where(LifecycleHistory.workflow_run_id.in_(run_ids)))
    steps = removed(session, delete(RunStep).where(RunStep.workflow_run_id.in_(run_ids)))
    runs = removed(session, delete(WorkflowRun).where(WorkflowRun.id.in_(run_ids)))
    return Deleted(steps, history, runs)
