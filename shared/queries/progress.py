"""How far each file of a group of runs is: its step, its passages, why it failed, and how long it will take."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Row, Select, bindparam, case, cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.domain import progress
from shared.domain.lifecycle import UNFINISHED, RunStatus
from shared.domain.workflow import WorkflowStepType
from shared.models import DataSource, DocumentURI, RunStep, WorkflowRun
from shared.queries import runs, work

MOST_FILES = 500
_URI_ID = cast(WorkflowRun.run_params["uri_id"].astext, BigInteger)
_EMBEDS = RunStep.step_type == WorkflowStepType.EMBED
_PASSAGES = cast(RunStep.status_meta["passages"].astext, Integer)
_DONE = cast(RunStep.status_meta["passages_done"].astext, Integer)
_UNSEEN = {"synchronize_session": False}
_ATTENTION = {RunStatus.RUNNING: 0, RunStatus.ERROR: 0, RunStatus.FAILED: 1, RunStatus.CANCELLED: 1}


class FileProgress(NamedTuple):
    """How far one file is; what is not known, or does not apply, is None."""

    run_id: int
    file_name: str
    document_hash: str
    status: RunStatus
    step: str | None
    step_status: RunStatus | None
    step_seconds: float | None
    passages: int | None
    passages_done: int
    seconds_left: float | None
    reason: str | None
    warning: str | None
    pages_without_text: list[int]


class GroupProgress(NamedTuple):
    """How far a group of files is: all by status, the passages of those that are counted, the first file by file."""

    counts: dict[RunStatus, int]
    passages: int
    passages_done: int
    seconds_left: float | None
    files: list[FileProgress]


class Advance(NamedTuple):
    """How many of a document's passages have vectors, and for how many seconds it has been worked on."""

    step_id: int
    passages: int
    done: int
    before: int
    seconds: float


def note(session: Session, advances: Iterable[Advance]) -> None:
    """Keep how far documents are while they are worked on, in the order of their steps, so that none deadlock."""
    now = work.database_seconds(session)
    for step_id, passages, done, before, seconds in sorted(advances):
        running = (RunStep.id == step_id) & (RunStep.status == RunStatus.RUNNING)
        marks = session.scalar(select(RunStep.status_meta["marks"]).where(running)) or [[now - seconds, before]]
        facts = {"passages": passages, "passages_done": done, "marks": progress.marked(marks, now, done)}
        added = RunStep.status_meta.op("||")(bindparam("facts", facts, type_=JSONB))
        session.execute(update(RunStep).where(running).values(status_meta=added), execution_options=_UNSEEN)


def of_files(session: Session, run_ids: Collection[int] | Select[int]) -> list[FileProgress]:
    """Return how far the files of some runs are: first those at work, then those that failed, then the others."""
    order = case(_ATTENTION, value=WorkflowRun.status, else_=2)
    runs = session.execute(
        select(WorkflowRun, DocumentURI.uri, DataSource.file_name)
        .outerjoin(DocumentURI, DocumentURI.id == _URI_ID)
        .outerjoin(DataSource, DataSource.document_uri_id == DocumentURI.id)
        .where(WorkflowRun.id.in_(run_ids))
        .order_by(order, WorkflowRun.id)
        .limit(MOST_FILES)
    ).all()
    now, steps = work.database_seconds(session), _steps(session, [run.id for run, _, _ in runs])
    return [_told(run, name_of(uri, name), steps.get(run.id, []), now) for run, uri, name in runs]


def name_of(uri: str | None, file_name: str | None) -> str:
    """Return what people call a document: its file's name, else the end of the address it is found at."""
    return file_name or (PurePosixPath(uri).name or uri if uri else "a document that was deleted")


def _steps(session: Session, run_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    columns = (RunStep.step_type, RunStep.status, RunStep.start_date, RunStep.status_message, RunStep.status_meta)
    statement = select(RunStep.workflow_run_id, *columns).where(RunStep.workflow_run_id.in_(run_ids))
    found: dict[int, list[Row[Any]]] = {}
    for row in session.execute(statement.order_by(RunStep.workflow_run_id, RunStep.workflow_step_number)):
        found.setdefault(row.workflow_run_id, []).append(row)
    return found


def _told(run: WorkflowRun, name: str, steps: Sequence[Row[Any]], now: float) -> FileProgress:
    facts = {name: fact for row in steps for name, fact in row.status_meta.items()}
    warnings = dict.fromkeys(row.status_meta["warning"] for row in steps if row.status_meta.get("warning"))
    at = next((row for row in steps if row.status is not RunStatus.COMPLETED), None)
    passages = facts.get("passages")
    embedded = any(row.step_type is WorkflowStepType.EMBED and row.status is RunStatus.COMPLETED for row in steps)
    done = (passages or 0) if embedded else facts.get("passages_done", 0)
    return FileProgress(
        run.id,
        name,
        run.doc_id,
        run.status,
        at.step_type.value if at else None,
        at.status if at else None,
        round(now - at.start_date.timestamp(), 1) if at and at.status is RunStatus.RUNNING else None,
        passages,
        done,
        _left(run, at, passages, done, facts.get("marks", ()), now),
        _reason(run, at),
        "; ".join(warnings) or None,
        facts.get("pages_without_text", []),
    )


def _left(
    run: WorkflowRun, at: Row[Any] | None, passages: int | None, done: int, marks: Sequence[progress.Mark], now: float
) -> float | None:
    """Return the seconds that a file still takes; a file that waits for its turn does not know."""
    if run.status is RunStatus.COMPLETED:
        return 0.0
    if at is None or at.status is not RunStatus.RUNNING or passages is None:
        return None
    return progress.seconds_left(passages - done, progress.pace([marks], now))


def _reason(run: WorkflowRun, at: Row[Any] | None) -> str | None:
    if run.status is RunStatus.COMPLETED:
        return None
    return run.status_message or (at.status_message if at else None)


def of_groups(session: Session, group_ids: Collection[int]) -> dict[int, GroupProgress]:
    """Return how far groups are; how long they take is unknown until the passages of all their files are counted."""
    totals = {group_id: counted for group_id, *counted in session.execute(_totals(group_ids))}
    now, marks = work.database_seconds(session), _marks(session, group_ids)
    return {
        group_id: _sum(session, group_id, totals.get(group_id, [0, 0, 0]), progress.pace(marks.get(group_id, ()), now))
        for group_id in group_ids
    }


def _sum(session: Session, group_id: int, totals: Sequence[int], pace: float | None) -> GroupProgress:
    counts = runs.count_by_status(session, group_id)
    files = of_files(session, select(WorkflowRun.id).where(WorkflowRun.run_group_id == group_id))
    passages, done, uncounted = totals
    left = None if uncounted else max(0, passages - done)
    return GroupProgress(counts, passages, done, progress.seconds_left(left, pace), files)


def _totals(group_ids: Collection[int]) -> Select[int, int, int, int]:
    """Count the passages of files that have not failed: nobody waits for those of the others."""
    alive = WorkflowRun.status.not_in((RunStatus.FAILED, RunStatus.CANCELLED))
    cut = RunStep.step_type == WorkflowStepType.CHUNK
    return (
        select(
            WorkflowRun.run_group_id,
            func.coalesce(func.sum(_PASSAGES).filter(cut, alive), 0),
            func.coalesce(func.sum(_DONE).filter(_EMBEDS, alive), 0),
            func.count().filter(cut, RunStep.status != RunStatus.COMPLETED, WorkflowRun.status.in_(UNFINISHED)),
        )
        .join(RunStep, RunStep.workflow_run_id == WorkflowRun.id)
        .where(WorkflowRun.run_group_id.in_(group_ids))
        .group_by(WorkflowRun.run_group_id)
    )


def _marks(session: Session, group_ids: Collection[int]) -> dict[int, list[Any]]:
    recent = RunStep.status_date > func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, progress.WINDOW)
    statement = (
        select(WorkflowRun.run_group_id, RunStep.status_meta["marks"])
        .join(RunStep, RunStep.workflow_run_id == WorkflowRun.id)
        .where(WorkflowRun.run_group_id.in_(group_ids), _EMBEDS, RunStep.status_meta.has_key("marks"))
        .where((RunStep.status == RunStatus.RUNNING) | recent)
    )
    found: dict[int, list[Any]] = {}
    for group_id, marks in session.execute(statement):
        found.setdefault(group_id, []).append(marks)
    return found
