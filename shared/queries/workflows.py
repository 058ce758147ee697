"""Runs of documents through a workflow: started whole, advanced step by step, ended once (seed 004)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL, UNFINISHED, RunStatus
from shared.domain.workflow import ArtifactType, LifeCycleEvent, WorkflowStepType, artifacts_of
from shared.models import (
    Document,
    DocumentBatch,
    DocumentURI,
    LifecycleHistory,
    RunGroup,
    RunStep,
    StepConfig,
    WorkflowRun,
)
from shared.queries import jobs, runs, work
from shared.queries.scope import Scope, owner_of

DOCUMENT_WORKFLOW = "document"
DOCUMENT_STEPS = (
    WorkflowStepType.VALIDATE,
    WorkflowStepType.PARSE,
    WorkflowStepType.CHUNK,
    WorkflowStepType.EMBED,
    WorkflowStepType.STORE,
)
NOTHING_TO_DO = "there was nothing to do"
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
    """Read what a step's work needs, and note that it has begun.

    Kind and sender's facts are those of the run's start: what is found at the URI by now may be another version.
    """
    run = session.get_one(WorkflowRun, step.workflow_run_id)
    group = session.get_one(RunGroup, run.run_group_id)
    document = session.get_one(Document, run.doc_id)
    config = session.get_one(StepConfig, step.step_config_id)
    _begin(session, group, run, step)
    return StepContext(
        step_id=step.id,
        step_type=step.step_type,
        doc_hash=document.hash,
        mime_type=run.run_params.get("mime_type") or document.mime_type,
        doc_meta=document.doc_meta | run.run_params.get("doc_meta", {}),
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
        document = session.get_one(Document, run.doc_id, with_for_update={"key_share": True})
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
    following = _following(session, step) if completed else None
    if following is not None and following.status not in TERMINAL:
        return () if run.paused_at else work.make_ready(session, [following])
    if not _any_running(session, run.id):
        _end_run(session, run, following or step)  # the next one was cancelled while this one ran
    return ()


def _following(session: Session, step: RunStep) -> RunStep | None:
    return session.scalar(
        select(RunStep).where(
            RunStep.workflow_run_id == step.workflow_run_id,
            RunStep.workflow_step_number == step.workflow_step_number + 1,
        )
    )


def _any_running(session: Session, run_id: int) -> bool:
    running = select(RunStep.id).where(RunStep.workflow_run_id == run_id, RunStep.status == RunStatus.RUNNING)
    return session.scalar(select(running.exists())) or False


def _end_run(session: Session, run: WorkflowRun, step: RunStep) -> None:
    # The group first: of two runs that end at once, the later one sees the other ended, so group_end fires once.
    group = session.get_one(RunGroup, run.run_group_id, with_for_update={"key_share": True})
    session.refresh(run)
    if run.status in TERMINAL:
        return
    _set(run, step.status, step.status_message)
    run.completed_date = func.clock_timestamp()
    event = LifeCycleEvent.ITEM_END if step.status is RunStatus.COMPLETED else LifeCycleEvent.ITEM_FAILED
    _record(session, group.id, event, run)
    session.flush()
    _end_if_finished(session, group)


def end_finished(session: Session, group_ids: Sequence[int]) -> None:
    """End those of the groups that have lost their last unfinished run."""
    groups = select(RunGroup).where(RunGroup.id.in_(group_ids), RunGroup.status.not_in(TERMINAL))
    for group in session.scalars(groups.order_by(RunGroup.id).with_for_update(key_share=True)).all():
        _end_if_finished(session, group)


def _end_if_finished(session: Session, group: RunGroup) -> None:
    unfinished = select(WorkflowRun.id).where(WorkflowRun.run_group_id == group.id, WorkflowRun.status.in_(UNFINISHED))
    if not session.scalar(select(unfinished.exists())):
        _end_group(session, group)


def _end_group(session: Session, group: RunGroup) -> None:
    counts = runs.count_by_status(session, group.id)
    order = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.COMPLETED)
    worst = next((status for status in order if counts.get(status)), RunStatus.COMPLETED)  # of no runs none failed
    told = f"{counts.get(RunStatus.COMPLETED, 0)} of {sum(counts.values())} documents completed"
    reason = _first_failure(session, group.id) if worst is RunStatus.FAILED else ""
    _set(group, worst, f"{told}{reason}" if counts else NOTHING_TO_DO)
    group.completed_date = func.clock_timestamp()
    _record(session, group.id, LifeCycleEvent.GROUP_END)
    session.flush()
    jobs.note_end(session, group)
    if group.batch_id is not None:
        _complete_batch(session, group.batch_id)


def _first_failure(session: Session, group_id: int) -> str:
    failed = select(WorkflowRun.status_message).where(WorkflowRun.run_group_id == group_id)
    reason = session.scalar(failed.where(WorkflowRun.status == RunStatus.FAILED).order_by(WorkflowRun.id).limit(1))
    return f"; {reason}" if reason else ""


def _complete_batch(session: Session, batch_id: int) -> None:
    """Complete a batch when each of its documents has had a run and none of its runs is unfinished."""
    batch = session.get_one(DocumentBatch, batch_id, with_for_update={"key_share": True})
    unfinished = select(WorkflowRun.id).where(WorkflowRun.batch_id == batch_id, WorkflowRun.status.in_(UNFINISHED))
    had_a_run = exists().where(WorkflowRun.batch_id == batch_id, WorkflowRun.doc_id == DocumentURI.doc_hash)
    without = select(DocumentURI.id).where(DocumentURI.batch_id == batch_id, ~had_a_run)
    if not session.scalar(select(or_(unfinished.exists(), without.exists()))):
        batch.completed_date = func.clock_timestamp()
        session.flush()


def end_empty(session: Session, group: RunGroup) -> None:
    """End a group that nothing was added to."""
    _set(group, RunStatus.COMPLETED, NOTHING_TO_DO)
    group.completed_date = func.clock_timestamp()
    session.flush()
    jobs.note_end(session, group)


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
