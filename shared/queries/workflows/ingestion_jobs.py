"""Ingestion jobs (seed 000): a collection's share of the work, told from the run group that does it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Float, case, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.domain.persona import JobStatus, PersonaStatus
from shared.models import IngestionJob, KnowledgeChunk, Persona, RunGroup, RunStep, WorkflowRun
from shared.queries.accounts import audit
from shared.queries.rows import removed

ACTIVE = (JobStatus.PENDING, JobStatus.PROCESSING)
_PASSAGES = func.nullif(cast(RunStep.status_meta["passages"].astext, Float), 0)
_PART = cast(RunStep.status_meta["passages_done"].astext, Float) / _PASSAGES
_SHARE = case((RunStep.status == RunStatus.COMPLETED, 1.0), else_=func.coalesce(_PART, 0.0))


def note_start(session: Session, group_id: int) -> None:
    """Mark the group's job as being worked on."""
    session.execute(
        update(IngestionJob)
        .where(IngestionJob.run_group_id == group_id, IngestionJob.status == JobStatus.PENDING)
        .values(status=JobStatus.PROCESSING, started_at=func.clock_timestamp())
    )


def progress(session: Session, job: IngestionJob) -> int:
    """Return a job's percentage."""
    return percentages(session, [job])[job.id]


def percentages(session: Session, jobs: Sequence[IngestionJob]) -> dict[UUID, int]:
    """Return jobs' percentages; those at work have theirs from steps and passages done, which never become fewer."""
    groups = [job.run_group_id for job in jobs if job.status in ACTIVE]
    counted = session.execute(
        select(WorkflowRun.run_group_id, func.sum(_SHARE), func.count())
        .join(RunStep, RunStep.workflow_run_id == WorkflowRun.id)
        .where(WorkflowRun.run_group_id.in_(groups))
        .group_by(WorkflowRun.run_group_id)
    )
    done = {group_id: int(100 * completed / total) for group_id, completed, total in counted}
    return {job.id: max(done.get(job.run_group_id or 0, 0), job.progress) for job in jobs}


def lock_personas(session: Session, group_ids: Collection[int]) -> None:
    """Lock the personas whose ingestions may end with these groups, in one order."""
    mine = select(IngestionJob.persona_id).where(IngestionJob.run_group_id.in_(group_ids))
    whose = select(Persona.id).where(Persona.id.in_(mine)).order_by(Persona.id)
    session.execute(whose.with_for_update(key_share=True))


def note_end(session: Session, group: RunGroup) -> None:
    """End the group's job, and with the last of them its persona's ingestion."""
    job = session.scalar(select(IngestionJob).where(IngestionJob.run_group_id == group.id))
    if job is not None:
        end(session, job, error=None if group.status is RunStatus.COMPLETED else group.status_message)


def abandon(session: Session, group_id: int) -> None:
    """End the job of a group that is about to be deleted, if it is still at work."""
    job = session.scalar(select(IngestionJob).where(IngestionJob.run_group_id == group_id))
    if job is not None and job.status in ACTIVE:
        end(session, job, error="its run group was deleted")


def reopen(session: Session, group_ids: Collection[int]) -> None:
    """Put the jobs of groups that run again back to work, and their personas with them."""
    reopened = session.scalars(
        update(IngestionJob)
        .where(IngestionJob.run_group_id.in_(group_ids), IngestionJob.status == JobStatus.FAILED)
        .values(status=JobStatus.PROCESSING, error_message=None, completed_at=None)
        .returning(IngestionJob.persona_id)
    ).all()
    at_work = update(Persona).where(Persona.id.in_(reopened)).values(status=PersonaStatus.INGESTING)
    session.execute(at_work, execution_options=audit.SILENT)


def end(session: Session, job: IngestionJob, *, error: str | None) -> None:
    """Write a job's result; a persona is active only when all jobs of its latest ingestion completed."""
    persona = session.scalar(select(Persona).where(Persona.id == job.persona_id).with_for_update(key_share=True))
    if persona is None:  # deleted a moment ago, and the job with it
        return
    done, passages = 100 if error is None else progress(session, job), count_passages(session, job)
    job.progress, job.total_vectors = done, passages
    job.status = JobStatus.FAILED if error else JobStatus.COMPLETED
    job.error_message = error
    job.completed_at = func.clock_timestamp()
    session.flush()
    statuses = [other.status for other in latest(session, persona)]
    if JobStatus.FAILED in statuses:
        persona.status = PersonaStatus.FAILED
    elif all(status is JobStatus.COMPLETED for status in statuses):
        persona.status = PersonaStatus.ACTIVE
    session.flush()


def clear(session: Session, persona: Persona) -> int:
    """Delete a persona's ended jobs, and say how many; those of an ingestion under way stay: its end rests on all."""
    current = latest(session, persona)
    under_way = any(job.status in ACTIVE for job in current)
    kept = [job.id for job in current] if under_way else []
    ended = IngestionJob.status.not_in(ACTIVE) & IngestionJob.id.not_in(kept)
    audit.record(session, "clear_jobs", Persona.__tablename__, persona.id)
    return removed(session, delete(IngestionJob).where(IngestionJob.persona_id == persona.id, ended))


def count_passages(session: Session, job: IngestionJob) -> int:
    """Count the stored passages of a job's collection."""
    stored = select(func.count()).where(
        KnowledgeChunk.persona_id == job.persona_id, KnowledgeChunk.collection_type == job.collection_type
    )
    return session.scalar(stored) or 0


def latest(session: Session, persona: Persona) -> list[IngestionJob]:
    """Return the newest job of each collection."""
    jobs = session.scalars(
        select(IngestionJob)
        .where(IngestionJob.persona_id == persona.id)
        .ext(distinct_on(IngestionJob.collection_type))
        .order_by(IngestionJob.collection_type, IngestionJob.created_at.desc(), IngestionJob.id)
    )
    return list(jobs)
