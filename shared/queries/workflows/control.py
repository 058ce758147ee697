"""What people do to runs under way: cancel, pause, resume, retry; each leaves what is completed as it is.

However many runs they are, the statements are few and the same.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Update, any_, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db import wake
from shared.domain.lifecycle import UNFINISHED, RunStatus
from shared.errors import Conflict
from shared.models import RunGroup, RunStep, WorkflowRun
from shared.queries.work import engine
from shared.queries.workflows import cancels, ingestion_jobs

RETRIED = (RunStatus.FAILED, RunStatus.CANCELLED)


def cancel(session: Session, run_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Cancel the steps of these runs that have not ended; runs that nobody works on end with them.

    Returns (id, fence) of the steps that are at work.
    """
    unfinished = select(RunStep.id).where(_among(RunStep.workflow_run_id, run_ids), RunStep.status.in_(UNFINISHED))
    return engine.cancel(session, RunStep, session.scalars(unfinished).all(), together=cancels.end_runs)


def pause(session: Session, run_ids: Sequence[int]) -> None:
    """Start no further step of these runs; one that runs goes on to its end. Raises Conflict when all have ended."""
    _lock_steps(session, run_ids, RunStep.status.in_(UNFINISHED))
    unfinished = _among(WorkflowRun.id, run_ids) & WorkflowRun.status.in_(UNFINISHED)
    since = func.coalesce(WorkflowRun.paused_at, func.clock_timestamp())
    if not session.scalars(_runs(unfinished).values(paused_at=since).returning(WorkflowRun.id)).all():
        raise Conflict("nothing to pause: every run has ended")
    waiting = RunStep.status.in_((RunStatus.PENDING, RunStatus.ERROR)) & RunStep.ready_at.is_not(None)
    session.execute(_steps_of(run_ids, waiting).values(ready_at=None))


def resume(session: Session, run_ids: Sequence[int]) -> None:
    """Let paused runs go on where they stopped."""
    _lock_steps(session, run_ids, RunStep.status.in_(UNFINISHED))
    paused = _among(WorkflowRun.id, run_ids) & WorkflowRun.paused_at.is_not(None)
    going = session.scalars(_runs(paused).values(paused_at=None).returning(WorkflowRun.id)).all()
    in_backoff = _steps_of(going, RunStep.status == RunStatus.ERROR)
    session.execute(in_backoff.values(ready_at=func.clock_timestamp()))
    _go_on(session, going)


def retry(session: Session, run_ids: Sequence[int]) -> None:
    """Run failed and cancelled runs again from the step that ended them.

    Completed steps and artifacts are kept. Raises Conflict when there is nothing to retry.
    """
    ended = _among(WorkflowRun.id, run_ids) & WorkflowRun.status.in_(RETRIED)
    of_ended = exists().where(ended, WorkflowRun.id == RunStep.workflow_run_id)
    steps = _lock_steps(session, run_ids, RunStep.status != RunStatus.COMPLETED, of_ended)
    groups = _reopen_groups(session, ended)
    reopened = _runs(ended).values(_as_running() | {"paused_at": None})
    again = session.scalars(reopened.returning(WorkflowRun.id)).all()
    if not again:
        raise Conflict("nothing to retry: no run has failed or was cancelled")
    ingestion_jobs.reopen(session, groups)
    engine.retry(session, RunStep, steps, ready=False)
    _go_on(session, again)


def _reopen_groups(session: Session, which: ColumnElement[bool]) -> Sequence[int]:
    """Put the groups of these runs back to work, locked before their runs as whoever ends a run does."""
    theirs = RunGroup.id.in_(select(WorkflowRun.run_group_id).where(which))
    locked = select(RunGroup.id).where(theirs).order_by(RunGroup.id).with_for_update(key_share=True)
    reopened = update(RunGroup).where(RunGroup.id.in_(locked)).values(_as_running())
    return session.scalars(reopened.returning(RunGroup.id)).all()


def _as_running() -> dict[str, Any]:
    now = func.clock_timestamp()
    return {"status": RunStatus.RUNNING, "status_date": now, "status_message": None, "completed_date": None}


def _go_on(session: Session, run_ids: Sequence[int]) -> None:
    """Make the first step that is not completed ready, in each run."""
    first = (
        select(RunStep.id)
        .where(_among(RunStep.workflow_run_id, run_ids), RunStep.status != RunStatus.COMPLETED)
        .ext(distinct_on(RunStep.workflow_run_id))
        .order_by(RunStep.workflow_run_id, RunStep.workflow_step_number)
    )
    blocked = (RunStep.status == RunStatus.PENDING) & RunStep.ready_at.is_(None)
    # An array, so that it is made once, whatever the planner knows of the tables.
    ready = update(RunStep).where(RunStep.id == any_(func.array(first.scalar_subquery())), blocked)
    ready = ready.values(ready_at=func.clock_timestamp())
    queues = ready.returning(RunStep.queue).cte()
    for queue in session.scalars(select(queues.c.queue).distinct()):
        wake(session, queue, f"{RunStep.__tablename__} of {len(run_ids)} runs")
    session.expire_all()


def _runs(which: ColumnElement[bool]) -> Update:
    """Change runs, which are locked by their ids: two who steer the same runs do not wait for each other in a ring."""
    locked = select(WorkflowRun.id).where(which).order_by(WorkflowRun.id).with_for_update(key_share=True)
    return update(WorkflowRun).where(WorkflowRun.id == any_(func.array(locked.scalar_subquery())))


def _steps_of(run_ids: Sequence[int], which: ColumnElement[bool]) -> Update:
    return update(RunStep).where(_among(RunStep.workflow_run_id, run_ids), which)


def _lock_steps(session: Session, run_ids: Sequence[int], *which: ColumnElement[bool]) -> Sequence[int]:
    """Lock steps in the order in which settlements and cancels lock them; return their ids."""
    mine = select(RunStep.id).where(_among(RunStep.workflow_run_id, run_ids), *which)
    return session.scalars(mine.order_by(RunStep.id).with_for_update()).all()


def _among(column: InstrumentedAttribute[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Say that a column is one of these ids, which travel as one value however many they are."""
    return column == any_(literal(list(ids), ARRAY(BigInteger)))
