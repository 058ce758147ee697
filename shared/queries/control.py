"""What people do to runs under way: pause, resume, retry; each leaves what is completed as it is."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL, UNFINISHED, RunStatus
from shared.errors import Conflict
from shared.models import RunGroup, RunStep, WorkflowRun
from shared.queries import jobs, locks, runs, work


def unfinished_steps(session: Session, run_ids: Sequence[int]) -> list[int]:
    """Return the ids of the steps that a cancel of these runs ends."""
    steps = runs.list_steps(session, run_ids)
    return [step.id for step in steps if step.status not in TERMINAL]


def pause(session: Session, run_ids: Sequence[int]) -> set[str]:
    """Start no further step of these runs; one that runs goes on to its end. Nothing becomes ready to ring for.

    Raises Conflict when all have ended.
    """
    steps = _lock_steps(session, run_ids)
    paused = session.scalars(
        update(WorkflowRun)
        .where(WorkflowRun.id.in_(run_ids), WorkflowRun.status.in_(UNFINISHED))
        .values(paused_at=func.coalesce(WorkflowRun.paused_at, func.clock_timestamp()))
        .returning(WorkflowRun.id)
    ).all()
    if not paused:
        raise Conflict("nothing to pause: every run has ended")
    waiting = [step.id for step in steps if step.status is not RunStatus.RUNNING]
    session.execute(update(RunStep).where(RunStep.id.in_(waiting)).values(ready_at=None))
    return set()


def resume(session: Session, run_ids: Sequence[int]) -> set[str]:
    """Let paused runs go on where they stopped; return the queues to ring."""
    _lock_steps(session, run_ids)
    paused = session.scalars(
        update(WorkflowRun)
        .where(WorkflowRun.id.in_(run_ids), WorkflowRun.paused_at.is_not(None))
        .values(paused_at=None)
        .returning(WorkflowRun.id)
    ).all()
    in_backoff = update(RunStep).where(RunStep.workflow_run_id.in_(paused), RunStep.status == RunStatus.ERROR)
    session.execute(in_backoff.values(ready_at=func.clock_timestamp()))
    return _go_on(session, paused)


def retry(session: Session, run_ids: Sequence[int]) -> set[str]:
    """Run failed and cancelled runs again from the step that ended them; return the queues to ring.

    Completed steps and artifacts are kept. Raises Conflict when there is nothing to retry.
    """
    runs.lock_steps(session, select(WorkflowRun.id).where(WorkflowRun.id.in_(run_ids)))
    ended = session.execute(
        update(WorkflowRun)
        .where(WorkflowRun.id.in_(run_ids), WorkflowRun.status.in_((RunStatus.FAILED, RunStatus.CANCELLED)))
        .values(_as_running() | {"paused_at": None})
        .returning(WorkflowRun.id, WorkflowRun.run_group_id)
    ).all()
    if not ended:
        raise Conflict("nothing to retry: no run has failed or was cancelled")
    groups = {row.run_group_id for row in ended}
    theirs = select(RunGroup.id).where(RunGroup.id.in_(groups)).order_by(RunGroup.id).with_for_update(key_share=True)
    session.execute(update(RunGroup).where(RunGroup.id.in_(theirs)).values(_as_running()))
    jobs.reopen(session, groups)
    again = [row.id for row in ended]
    steps = runs.list_steps(session, again)
    work.retry(session, RunStep, [s.id for s in steps if s.status is not RunStatus.COMPLETED], ready=False)
    session.expire_all()
    return _go_on(session, again)


def _as_running() -> dict[str, Any]:
    now = func.clock_timestamp()
    return {"status": RunStatus.RUNNING, "status_date": now, "status_message": None, "completed_date": None}


def _go_on(session: Session, run_ids: Sequence[int]) -> set[str]:
    """Make the first step that is not completed ready, in each run."""
    first: dict[int, RunStep] = {}
    for step in runs.list_steps(session, run_ids):
        if step.status is not RunStatus.COMPLETED:
            first.setdefault(step.workflow_run_id, step)
    return locks.make_ready(session, first.values())


def _lock_steps(session: Session, run_ids: Sequence[int]) -> Sequence[RunStep]:
    """Lock the unfinished steps in the order in which settlements and cancels lock them; return them as they are."""
    unfinished = select(RunStep).where(RunStep.workflow_run_id.in_(run_ids), RunStep.status.in_(UNFINISHED))
    return session.scalars(
        unfinished.order_by(RunStep.id).with_for_update(), execution_options={"populate_existing": True}
    ).all()
