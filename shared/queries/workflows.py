"""Runs of documents through a workflow: started whole, advanced step by step, ended once (seed 004)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.domain.workflow import ArtifactType, LifeCycleEvent, WorkflowStepType, artifacts_of
from shared.errors import Conflict, NotFound
from shared.models import Document, LifecycleHistory, RunGroup, RunStep, StepConfig, WorkflowRun
from shared.queries import jobs, work
from shared.queries.scope import Scope, owned, owner_of

DOCUMENT_WORKFLOW = "document"
DOCUMENT_STEPS = (
    WorkflowStepType.VALIDATE,
    WorkflowStepType.PARSE,
    WorkflowStepType.CHUNK,
    WorkflowStepType.EMBED,
    WorkflowStepType.STORE,
)
UNFINISHED = tuple(status for status in RunStatus if status not in TERMINAL)
StepConfigs = Mapping[WorkflowStepType, dict[str, Any]]


def add_group(
    session: Session, scope: Scope, name: str, *, params: str = "default", batch_id: int | None = None
) -> RunGroup:
    """Add an empty group of runs."""
    group = RunGroup(
        name=name,
        workflow_definition_id=DOCUMENT_WORKFLOW,
        param_definition_id=params,
        batch_id=batch_id,
        **owner_of(scope),
    )
    session.add(group)
    session.flush()
    return group


def add_run(
    session: Session,
    group: RunGroup,
    doc_hash: str,
    configs: StepConfigs,
    *,
    params: dict[str, Any],
    priority: int = 0,
    meta: dict[str, Any] | None = None,
) -> WorkflowRun:
    """Add one document's run and its five steps, of which the first is ready."""
    run = WorkflowRun(
        workflow_definition_id=group.workflow_definition_id,
        run_group_id=group.id,
        batch_id=group.batch_id,
        doc_id=doc_hash,
        priority=priority,
        run_params=params,
    )
    session.add(run)
    session.flush()
    config_ids = _step_configs(session, configs)
    session.add_all(
        RunStep(
            workflow_run_id=run.id,
            workflow_step_number=number,
            workflow_step_name=step_type.value,
            step_type=step_type,
            step_config_id=config_ids[step_type],
            is_last_step=number == len(DOCUMENT_STEPS),
            priority=priority,
            status_meta=meta or {},
            ready_at=func.clock_timestamp() if number == 1 else None,
        )
        for number, step_type in enumerate(DOCUMENT_STEPS, 1)
    )
    session.flush()
    return run


def _step_configs(session: Session, configs: StepConfigs) -> dict[WorkflowStepType, int]:
    """Find or add each step's configuration, known by itself and all before it: equal work is recognised."""
    cumulative: dict[str, Any] = {}
    ids = {}
    for step_type in DOCUMENT_STEPS:
        config = configs.get(step_type, {})
        cumulative[step_type.value] = config
        ids[step_type] = _step_config(session, step_type, config, json.dumps(cumulative, sort_keys=True))
    return ids


def _step_config(session: Session, step_type: WorkflowStepType, config: dict[str, Any], cumulative: str) -> int:
    known = select(StepConfig.id).where(StepConfig.step_type == step_type, StepConfig.cuml_config_json == cumulative)
    found = session.scalar(known)
    if found is None:
        values = {"step_type": step_type, "config_json": config, "cuml_config_json": cumulative}
        session.execute(insert(StepConfig).values(values).on_conflict_do_nothing())
        found = session.scalars(known).one()
    return found


@dataclass(frozen=True)
class StepContext:
    """Everything about a step that its work needs, with no session.

    `roots` gives, for each artifact of the steps so far, the storage root it is kept under.
    """

    step_id: int
    step_type: WorkflowStepType
    doc_hash: str
    mime_type: str
    doc_meta: dict[str, Any]
    config: dict[str, Any]
    roots: dict[ArtifactType, str]
    params: dict[str, Any]
    owner_id: str


def context(session: Session, step: RunStep) -> StepContext:
    """Read what a step's work needs, and note that it has begun."""
    run = session.get_one(WorkflowRun, step.workflow_run_id)
    group = session.get_one(RunGroup, run.run_group_id)
    document = session.get_one(Document, run.doc_id)
    config = session.get_one(StepConfig, step.step_config_id)
    _begin(session, group, run, step)
    return StepContext(
        step_id=step.id,
        step_type=step.step_type,
        doc_hash=document.hash,
        mime_type=document.mime_type,
        doc_meta=document.doc_meta,
        config=config.config_json or {},
        roots=_roots(session, run.id),
        params=run.run_params,
        owner_id=group.owner_id,
    )


def note_facts(session: Session, step: RunStep, facts: dict[str, Any]) -> None:
    """Keep what a step found out; what it says of the `document` goes to the document."""
    about = facts.get("document")
    step.status_meta = step.status_meta | {name: fact for name, fact in facts.items() if name != "document"}
    if about:
        run = session.get_one(WorkflowRun, step.workflow_run_id)
        document = session.get_one(Document, run.doc_id, with_for_update=True)
        document.doc_meta = {**document.doc_meta, **about}


def _roots(session: Session, run_id: int) -> dict[ArtifactType, str]:
    steps = session.execute(
        select(RunStep.step_type, RunStep.step_config_id).where(RunStep.workflow_run_id == run_id)
    ).all()
    return {artifact: str(config_id) for step_type, config_id in steps for artifact in artifacts_of(step_type)}


def _begin(session: Session, group: RunGroup, run: WorkflowRun, step: RunStep) -> None:
    _record(session, group.id, LifeCycleEvent.STEP_START, run, step)
    if run.status is RunStatus.PENDING:
        _set(run, RunStatus.RUNNING)
        run.start_date = func.clock_timestamp()
        _record(session, group.id, LifeCycleEvent.ITEM_START, run)
    started = session.execute(
        update(RunGroup)
        .where(RunGroup.id == group.id, RunGroup.status == RunStatus.PENDING)
        .values(status=RunStatus.RUNNING, start_date=func.clock_timestamp(), status_date=func.clock_timestamp())
        .returning(RunGroup.id)
    ).all()
    if started:
        _record(session, group.id, LifeCycleEvent.GROUP_START)
        jobs.note_start(session, group.id)


@work.on_end(RunStep)
def follow_step(session: Session, step: RunStep) -> Iterable[str]:
    """Make the next step ready, or end the run, and with the last of its runs the group."""
    run = session.get_one(WorkflowRun, step.workflow_run_id)
    completed = step.status is RunStatus.COMPLETED
    _record(session, run.run_group_id, LifeCycleEvent.STEP_END if completed else LifeCycleEvent.STEP_FAILED, run, step)
    if completed and not step.is_last_step:
        return () if run.paused_at else _ready_next(session, step)
    if not _any_running(session, run.id):
        _end_run(session, run, step)
    return ()


def _ready_next(session: Session, step: RunStep) -> set[str]:
    following = select(RunStep).where(
        RunStep.workflow_run_id == step.workflow_run_id,
        RunStep.workflow_step_number == step.workflow_step_number + 1,
    )
    return work.make_ready(session, session.scalars(following).all())


def _any_running(session: Session, run_id: int) -> bool:
    running = select(RunStep.id).where(RunStep.workflow_run_id == run_id, RunStep.status == RunStatus.RUNNING)
    return session.scalar(select(running.exists())) or False


def _end_run(session: Session, run: WorkflowRun, step: RunStep) -> None:
    # The group first: of two runs that end at once, the later one sees the other ended, so group_end fires once.
    group = session.scalars(select(RunGroup).where(RunGroup.id == run.run_group_id).with_for_update()).one()
    session.refresh(run)
    if run.status in TERMINAL:
        return
    _set(run, step.status, step.status_message)
    run.completed_date = func.clock_timestamp()
    event = LifeCycleEvent.ITEM_END if step.status is RunStatus.COMPLETED else LifeCycleEvent.ITEM_FAILED
    _record(session, group.id, event, run)
    session.flush()
    unfinished = select(WorkflowRun.id).where(WorkflowRun.run_group_id == group.id, WorkflowRun.status.in_(UNFINISHED))
    if not session.scalar(select(unfinished.exists())):
        _end_group(session, group)


def _end_group(session: Session, group: RunGroup) -> None:
    counts = run_counts(session, group.id)
    worst = next(s for s in (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.COMPLETED) if counts.get(s))
    _set(group, worst, f"{counts.get(RunStatus.COMPLETED, 0)} of {sum(counts.values())} documents completed")
    group.completed_date = func.clock_timestamp()
    _record(session, group.id, LifeCycleEvent.GROUP_END)
    session.flush()
    jobs.note_end(session, group)


def end_empty(session: Session, group: RunGroup) -> None:
    """End a group that nothing was added to."""
    _set(group, RunStatus.COMPLETED, "there was nothing to do")
    group.completed_date = func.clock_timestamp()
    session.flush()
    jobs.note_end(session, group)


def run_counts(session: Session, group_id: int) -> dict[RunStatus, int]:
    """Count a group's runs by status."""
    statement = select(WorkflowRun.status, func.count()).where(WorkflowRun.run_group_id == group_id)
    return dict(session.execute(statement.group_by(WorkflowRun.status)).all())


def _set(item: WorkflowRun | RunGroup, status: RunStatus, message: str | None = None) -> None:
    item.status = status
    item.status_date = func.clock_timestamp()
    item.status_message = message


def _record(
    session: Session,
    group_id: int,
    event: LifeCycleEvent,
    run: WorkflowRun | None = None,
    step: RunStep | None = None,
) -> None:
    session.add(
        LifecycleHistory(
            event=event,
            run_group_id=group_id,
            workflow_run_id=run.id if run else None,
            step_id=step.id if step else None,
            status=RunStatus.COMPLETED,
            status_message=step.status_message if step else None,
            completed_date=func.clock_timestamp(),
        )
    )


def get_group(session: Session, scope: Scope, group_id: int) -> RunGroup:
    """Return a group of the scope's; raises NotFound."""
    group = session.scalar(owned(RunGroup, scope).where(RunGroup.id == group_id))
    if group is None:
        raise NotFound(f"run group {group_id} not found")
    return group


def get_run(session: Session, scope: Scope, run_id: int) -> WorkflowRun:
    """Return a run of the scope's; raises NotFound."""
    mine = owned(RunGroup, scope).with_only_columns(RunGroup.id)
    run = session.scalar(select(WorkflowRun).where(WorkflowRun.id == run_id, WorkflowRun.run_group_id.in_(mine)))
    if run is None:
        raise NotFound(f"run {run_id} not found")
    return run


def steps_of(session: Session, run_ids: Sequence[int]) -> Sequence[RunStep]:
    """Return the steps of some runs, in order."""
    statement = select(RunStep).where(RunStep.workflow_run_id.in_(run_ids))
    return session.scalars(statement.order_by(RunStep.workflow_run_id, RunStep.workflow_step_number)).all()


def runs_of(session: Session, group_id: int) -> Sequence[WorkflowRun]:
    """Return the runs of a group, oldest first."""
    statement = select(WorkflowRun).where(WorkflowRun.run_group_id == group_id)
    return session.scalars(statement.order_by(WorkflowRun.id)).all()


def cancel(session: Session, runs: Sequence[WorkflowRun]) -> list[tuple[int, int]]:
    """Cancel runs: what waits at once, what runs by asking its worker; return the (id, fence) of the latter."""
    waiting = [step.id for step in steps_of(session, [run.id for run in runs]) if step.status not in TERMINAL]
    running, _ = work.cancel(session, RunStep, waiting)
    return running


def pause(session: Session, runs: Sequence[WorkflowRun]) -> None:
    """Start no further step of these runs; a step that runs goes on to its end. Raises Conflict for ended runs."""
    if all(run.status in TERMINAL for run in runs):
        raise Conflict("nothing to pause: every run has ended")
    for run in runs:
        run.paused_at = func.clock_timestamp()
    session.execute(_waiting_steps(runs).values(ready_at=None))


def resume(session: Session, runs: Sequence[WorkflowRun]) -> set[str]:
    """Let paused runs go on where they stopped; return the queues to ring."""
    paused = [run for run in runs if run.paused_at is not None]
    for run in paused:
        run.paused_at = None
    session.flush()
    return {queue for run in paused for queue in _resume(session, run)}


def _waiting_steps(runs: Sequence[WorkflowRun]) -> Any:
    return update(RunStep).where(
        RunStep.workflow_run_id.in_([run.id for run in runs]), RunStep.status == RunStatus.PENDING
    )


def _resume(session: Session, run: WorkflowRun) -> set[str]:
    steps = steps_of(session, [run.id])
    following = next((step for step in steps if step.status is not RunStatus.COMPLETED), None)
    return work.make_ready(session, [following] if following else [])


def retry(session: Session, runs: Sequence[WorkflowRun]) -> set[str]:
    """Run failed and cancelled runs again from the step that ended them; completed steps and artifacts are kept."""
    ended = [run for run in runs if run.status in (RunStatus.FAILED, RunStatus.CANCELLED)]
    for run in ended:
        _set(run, RunStatus.RUNNING)
        run.completed_date = run.paused_at = None
    session.execute(
        update(RunGroup)
        .where(RunGroup.id.in_({run.run_group_id for run in ended}))
        .values(status=RunStatus.RUNNING, completed_date=None, status_date=text("clock_timestamp()"))
    )
    steps = [s for s in steps_of(session, [run.id for run in ended]) if s.status is not RunStatus.COMPLETED]
    work.retry(session, RunStep, [step.id for step in steps], ready=False)
    session.expire_all()
    return {queue for run in ended for queue in _resume(session, run)}
