"""What follows when many steps of documents are cancelled at once: as few statements for ten thousand as for one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, any_, bindparam, exists, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on
from sqlalchemy.orm import Session

from shared.domain.lifecycle import UNFINISHED, RunStatus
from shared.domain.workflow import LifeCycleEvent
from shared.logs import correlation
from shared.models import Base, LifecycleHistory, RunGroup, RunStep, WorkflowRun
from shared.queries.workflows import advance

HISTORY = Base.metadata.tables[LifecycleHistory.__tablename__]
RECORDED = ("event", "status", "completed_date", "status_meta", "run_group_id", "workflow_run_id")
CANCELLED = RunStep.id == any_(bindparam("step_ids", type_=ARRAY(BigInteger)))


def _happened(event: LifeCycleEvent) -> tuple[Any, ...]:
    """Return the first four columns that are recorded, which are the same for all rows."""
    now, meta = func.clock_timestamp(), bindparam("meta", type_=JSONB)
    return literal(event, HISTORY.c.event.type), literal(RunStatus.COMPLETED, HISTORY.c.status.type), now, meta


RECORD_STEPS = insert(HISTORY).from_select(
    [*RECORDED, "step_id", "status_message"],
    select(
        *_happened(LifeCycleEvent.STEP_FAILED),
        WorkflowRun.run_group_id,
        WorkflowRun.id,
        RunStep.id,
        RunStep.status_message,
    )
    .join(WorkflowRun, WorkflowRun.id == RunStep.workflow_run_id)
    .where(CANCELLED)
    .order_by(RunStep.id),
    include_defaults=False,
)
THEIR_RUNS = WorkflowRun.id.in_(select(RunStep.workflow_run_id).where(CANCELLED))
LOCKED_GROUPS = (
    select(RunGroup)
    .where(RunGroup.id.in_(select(WorkflowRun.run_group_id).where(THEIR_RUNS)))
    .order_by(RunGroup.id)
    .with_for_update(key_share=True)
)
FIRST = (
    select(RunStep.workflow_run_id, RunStep.status_message)
    .where(CANCELLED)
    .ext(distinct_on(RunStep.workflow_run_id))
    .order_by(RunStep.workflow_run_id, RunStep.id)
    .subquery()
)
AT_WORK = exists().where(RunStep.workflow_run_id == WorkflowRun.id, RunStep.status == RunStatus.RUNNING)
ENDED = (
    update(WorkflowRun)
    .where(WorkflowRun.id == FIRST.c.workflow_run_id, WorkflowRun.status.in_(UNFINISHED), ~AT_WORK)
    .values(
        status=RunStatus.CANCELLED,
        status_date=func.clock_timestamp(),
        status_message=FIRST.c.status_message,
        completed_date=func.clock_timestamp(),
    )
    .returning(WorkflowRun.id, WorkflowRun.run_group_id)
    .cte("ended")
)
RECORD_RUNS = insert(HISTORY).from_select(
    RECORDED, select(*_happened(LifeCycleEvent.ITEM_FAILED), ENDED.c.run_group_id, ENDED.c.id), include_defaults=False
)
END_RUNS = select(ENDED.c.run_group_id).distinct().add_cte(RECORD_RUNS.cte("recorded"))


def end_runs(session: Session, step_ids: Sequence[int]) -> None:
    """End the runs of cancelled steps that nobody works on, and with the last of a group's runs the group.

    It does for all of them what `advance.follow_step` does for one.
    """
    session.expire_all()
    given = {"step_ids": list(step_ids), "meta": correlation()}
    session.execute(RECORD_STEPS, given)
    groups = session.scalars(LOCKED_GROUPS, given).all()  # before the runs, as whoever ends one locks them
    advance.lock_with_groups(session, groups)
    ended = set(session.scalars(END_RUNS, given))
    for group in groups:
        if group.id in ended:
            advance.end_if_finished(session, group)
