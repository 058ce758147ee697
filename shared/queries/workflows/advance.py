"""Runs of documents through a workflow: advanced step by step, ended once (seed 004)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, cast, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, aliased

from shared.db import wake
from shared.domain.lifecycle import TERMINAL, UNFINISHED, RunStatus
from shared.domain.workflow import (
    ArtifactType,
    DocumentFacts,
    LifeCycleEvent,
    RunParams,
    StepFacts,
    StepMeta,
    StepSettings,
    WorkflowStepType,
    artifacts_of,
)
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
from shared.queries.work import locks
from shared.queries.workflows import ingestion_jobs, progress, runs

NOTHING_TO_DO = "there was nothing to do"


@dataclass(frozen=True)
class StepContext:
    """Everything about a step that its work needs, with no session.

    `roots` gives, for each artifact of the steps so far, the storage root it is kept under.
    """

    step_id: int
    step_type: WorkflowStepType
    doc_hash: str
    mime_type: str
    doc_meta: DocumentFacts  # what its sender says of it on top
    config: StepSettings
    roots: dict[ArtifactType, str]
    params: RunParams
    owner_id: str
    fence: int = 0  # of the claim under which it is worked on


_OTHER = aliased(RunStep)
_CONTEXT = (
    select(
        WorkflowRun.status,
        WorkflowRun.run_params,
        WorkflowRun.run_group_id,
        RunGroup.owner_id,
        RunGroup.status.label("group_status"),
        Document.hash,
        Document.mime_type,
        Document.doc_meta,
        StepConfig.config_json,
        select(func.jsonb_object_agg(_OTHER.step_type, _OTHER.step_config_id, type_=JSONB))
        .where(_OTHER.workflow_run_id == WorkflowRun.id)
        .scalar_subquery()
        .label("config_ids"),
    )
    .join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    .join(Document, Document.hash == WorkflowRun.doc_id)
    .join(StepConfig, StepConfig.id == bindparam("config_id"))
    .where(WorkflowRun.id == bindparam("run_id"))
)


def context(session: Session, step: RunStep) -> StepContext:
    """Read what a step's work needs, and note that it has begun.

    Kind and sender's facts are those of the run's start: what is found at the URI by now may be another version.
    """
    with session.no_autoflush:  # what the steps of a batch note is written together
        given = {"run_id": step.workflow_run_id, "config_id": step.step_config_id}
        found = session.execute(_CONTEXT, given).one()
        _begin(session, found, step)
    return StepContext(
        step_id=step.id,
        step_type=step.step_type,
        doc_hash=found.hash,
        mime_type=found.run_params.get("mime_type") or found.mime_type,
        doc_meta=found.doc_meta | found.run_params.get("doc_meta", {}),
        config=found.config_json or StepSettings(),
        roots=_roots(found.config_ids),
        params=found.run_params,
        owner_id=found.owner_id,
        fence=step.fence,
    )


def note_facts(session: Session, step: RunStep, facts: StepFacts) -> None:
    """Keep what a step found out; what it says of the `document` goes to the document."""
    kept: StepMeta = {**step.status_meta, **facts}
    about = kept.pop("document", None)
    step.status_meta = kept
    if about:
        with session.no_autoflush:
            session.execute(_NOTE_DOCUMENT, {"run_id": step.workflow_run_id, "about": about})


_NOTE_DOCUMENT = (
    update(Document)
    .where(Document.hash == WorkflowRun.doc_id, WorkflowRun.id == bindparam("run_id"))
    .values(doc_meta=Document.doc_meta.op("||")(bindparam("about", type_=JSONB)))
)


def _roots(config_ids: dict[str, int]) -> dict[ArtifactType, str]:
    return {
        artifact: str(config_id)
        for step_type, config_id in config_ids.items()
        for artifact in artifacts_of(WorkflowStepType(step_type))
    }


def _begin(session: Session, found: Row[Any], step: RunStep) -> None:
    """Note the start of the step, and with the first ones that of its run and of its group."""
    group_id, run_id = found.run_group_id, step.workflow_run_id
    _record(session, group_id, LifeCycleEvent.STEP_START, run_id, step)
    started = {"status": RunStatus.RUNNING, "start_date": func.clock_timestamp(), "status_date": func.clock_timestamp()}
    if found.status is RunStatus.PENDING:
        session.execute(update(WorkflowRun).where(WorkflowRun.id == run_id).values(started))
        _record(session, group_id, LifeCycleEvent.ITEM_START, run_id)
    if found.group_status is not RunStatus.PENDING:
        return
    # Skipped: of two batches whose steps are of the same groups each would hold one and wait for the other.
    free = select(RunGroup.id).where(RunGroup.id == group_id, RunGroup.status == RunStatus.PENDING)
    waiting = update(RunGroup).where(RunGroup.id.in_(free.with_for_update(key_share=True, skip_locked=True)))
    if session.execute(waiting.values(started).returning(RunGroup.id)).all():
        _record(session, group_id, LifeCycleEvent.GROUP_START)
        ingestion_jobs.note_start(session, group_id)


def lock_written(session: Session, steps: Sequence[RunStep]) -> None:
    """Lock what several steps write about, in one order: where passages are stored, then the documents."""
    of_them = select(WorkflowRun.id).where(WorkflowRun.id.in_([step.workflow_run_id for step in steps]))
    storing = [step.workflow_run_id for step in steps if step.step_type is WorkflowStepType.STORE]
    uri_ids = select(cast(WorkflowRun.run_params["uri_id"].astext, BigInteger)).where(WorkflowRun.id.in_(storing))
    places = select(DocumentURI.id).where(DocumentURI.id.in_(uri_ids)).order_by(*locks.PLACES)
    known = select(Document.hash).where(Document.hash.in_(of_them.with_only_columns(WorkflowRun.doc_id)))
    for statement in (places, known.order_by(Document.hash)):
        session.execute(statement.with_for_update(key_share=True))


def lock_ended(session: Session, steps: Sequence[RunStep]) -> None:
    """Lock the groups of runs that several steps may end, in one order, and what ends with them."""
    last = [s.workflow_run_id for s in steps if s.is_last_step or s.status in (RunStatus.FAILED, RunStatus.CANCELLED)]
    of_runs = select(WorkflowRun.run_group_id).where(WorkflowRun.id.in_(last))
    mine = select(RunGroup).where(RunGroup.id.in_(of_runs)).order_by(RunGroup.id)
    lock_with_groups(session, session.scalars(mine.with_for_update(key_share=True)).all() if last else ())


def lock_with_groups(session: Session, groups: Sequence[RunGroup]) -> None:
    """Lock, in one order, what ends with several groups that are locked; of one it is locked as it is touched."""
    if len(groups) > 1:
        ingestion_jobs.lock_personas(session, [group.id for group in groups])
        batches = select(DocumentBatch.id).where(DocumentBatch.id.in_([group.batch_id for group in groups]))
        session.execute(batches.order_by(DocumentBatch.id).with_for_update(key_share=True))


def follow_step(session: Session, step: RunStep) -> None:
    """Make the next step ready, or end the run, and with the last of its runs the group."""
    if step.status is RunStatus.COMPLETED and not step.is_last_step and _ready_next(session, step):
        return
    run = session.get_one(WorkflowRun, step.workflow_run_id)
    completed = step.status is RunStatus.COMPLETED
    _record(
        session, run.run_group_id, LifeCycleEvent.STEP_END if completed else LifeCycleEvent.STEP_FAILED, run.id, step
    )
    following = _following(session, step) if completed else None
    if following is not None and following.status not in TERMINAL:
        if not run.paused_at:
            locks.make_ready(session, [following])
    elif (completed and step.is_last_step) or not _any_running(session, run.id):
        _end_run(session, run, following or step)  # the next one was cancelled while this one ran


_HOLD = text("""
    UPDATE runstep SET ready_at = NULL FROM workflowrun run
    WHERE runstep.id = ANY(:ids) AND run.id = runstep.workflow_run_id AND run.paused_at IS NOT NULL
    RETURNING runstep.id""")


def hold_paused(session: Session, step_ids: Sequence[int]) -> Collection[int]:
    """Let steps that are tried again wait for the end of their run's pause; return those that do."""
    return session.scalars(_HOLD, {"ids": list(step_ids)}).all()


_NEXT_READY = (
    update(RunStep)
    .where(
        RunStep.workflow_run_id == bindparam("run_id"),
        RunStep.workflow_step_number == bindparam("number"),
        RunStep.status == RunStatus.PENDING,
        RunStep.ready_at.is_(None),
        WorkflowRun.id == RunStep.workflow_run_id,
        WorkflowRun.paused_at.is_(None),
    )
    .values(ready_at=func.clock_timestamp())
    .returning(RunStep.id, RunStep.queue, WorkflowRun.run_group_id)
)


def _ready_next(session: Session, step: RunStep) -> bool:
    """Make the step after a completed one ready; say whether it simply follows."""
    with session.no_autoflush:
        given = {"run_id": step.workflow_run_id, "number": step.workflow_step_number + 1}
        ready = session.execute(_NEXT_READY, given).one_or_none()
    if ready is None:
        return False
    wake(session, ready.queue, f"{RunStep.__tablename__} {ready.id}")
    _record(session, ready.run_group_id, LifeCycleEvent.STEP_END, step.workflow_run_id, step)
    return True


def _following(session: Session, step: RunStep) -> RunStep | None:
    if step.is_last_step:
        return None
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
    # Without its key: each step refers to the group, and would otherwise wait for all others that do.
    group = session.get_one(RunGroup, run.run_group_id, with_for_update={"key_share": True})
    session.refresh(run)
    if run.status in TERMINAL:
        return
    _set(run, step.status, step.status_message)
    run.completed_date = func.clock_timestamp()
    event = LifeCycleEvent.ITEM_END if step.status is RunStatus.COMPLETED else LifeCycleEvent.ITEM_FAILED
    _record(session, group.id, event, run.id)
    session.flush()
    end_if_finished(session, group)


def end_finished(session: Session, group_ids: Sequence[int]) -> None:
    """End those of the groups that have lost their last unfinished run."""
    groups = select(RunGroup).where(RunGroup.id.in_(group_ids), RunGroup.status.not_in(TERMINAL))
    for group in session.scalars(groups.order_by(RunGroup.id).with_for_update(key_share=True)).all():
        end_if_finished(session, group)


def end_if_finished(session: Session, group: RunGroup) -> None:
    """End a group, which the caller has locked, when it has lost its last unfinished run."""
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
    ingestion_jobs.note_end(session, group)
    if group.batch_id is not None:
        _complete_batch(session, group.batch_id)


def _first_failure(session: Session, group_id: int) -> str:
    failed = select(WorkflowRun.id).where(WorkflowRun.run_group_id == group_id, WorkflowRun.status == RunStatus.FAILED)
    first = session.scalars(failed.order_by(WorkflowRun.id).limit(1)).all()
    return "".join(f"; {file.file_name}: {file.reason}" for file in progress.of_runs(session, first))


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
    ingestion_jobs.note_end(session, group)


def _set(item: WorkflowRun | RunGroup, status: RunStatus, message: str | None = None) -> None:
    item.status = status
    item.status_date = func.clock_timestamp()
    item.status_message = message


def _record(
    session: Session,
    group_id: int,
    event: LifeCycleEvent,
    run_id: int | None = None,
    step: RunStep | None = None,
) -> None:
    session.add(
        LifecycleHistory(
            event=event,
            run_group_id=group_id,
            workflow_run_id=run_id,
            step_id=step.id if step else None,
            status=RunStatus.COMPLETED,
            status_message=step.status_message if step else None,
        )
    )
