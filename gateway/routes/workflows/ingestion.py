"""The ingestion of a persona's files: started, watched, and what it goes by."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import current_app

from gateway.http.auth import requires, scope
from gateway.http.idempotency import idempotent, once
from gateway.http.quotas import adds_work
from gateway.schemas.documents.files import (
    ClearedOut,
    CollectionsOut,
    EffectiveConfigOut,
    IngestionOut,
    JobOut,
    JobsOut,
    RetriedOut,
)
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.persona import CollectionType, JobStatus
from shared.domain.retrieval import effective
from shared.logs import correlation
from shared.models import IngestionJob
from shared.queries.documents import files
from shared.queries.personas import personas
from shared.queries.workflows import ingestion_jobs, progress

bp = APIBlueprint("ingestion", __name__, url_prefix="/api/v1/personas/<uuid:persona_id>")


@bp.post("/ingest")
@requires(Permission.WRITE)
@adds_work
@idempotent
@bp.output(JobsOut, 202)
def ingest_persona(persona_id: UUID) -> JobsOut:
    """Have a persona read its files.

    The third step: each collection becomes a job whose documents are validated, parsed, cut into passages, embedded
    and stored. The answer comes at once with 202: ask `get_ingestion_status` until `all_completed` or `any_failed`.
    Files that were read before are not read again.
    """
    with once() as once_:
        persona = personas.get(once_.session, scope(), persona_id)
        settings = current_app.config["SETTINGS"]
        started = files.ingest(
            once_.session,
            scope(),
            persona,
            embedding_model=settings.embedding_model,
            embedding_window=settings.embedding_window,
            meta=correlation(),
        )
        return once_.keep(JobsOut(jobs=[JobOut.model_validate(job) for job in started]), 202)


@bp.get("/ingestion/status")
@requires(Permission.READ)
@bp.output(IngestionOut)
def get_ingestion_status(persona_id: UUID) -> dict[str, Any]:
    """Say how far a persona's reading is.

    The fourth step: ask every second or so until `all_completed` or `any_failed` is true. A failed job says why in
    `error_message`; its documents one by one are at `get_run_group`, by its `run_group_id`.
    """
    with get_session() as session:
        persona = personas.get(session, scope(), persona_id)
        latest = ingestion_jobs.latest(session, persona)
        by_group = progress.of_groups(session, [job.run_group_id for job in latest if job.run_group_id])
    told = [told_of(job, by_group.get(job.run_group_id or 0, progress.NOTHING)) for job in latest]
    return {
        "overall_status": persona.status,
        "overall_progress": round(sum(job["progress"] for job in told) / max(len(latest), 1), 1),
        "all_completed": bool(latest) and all(job.status is JobStatus.COMPLETED for job in latest),
        "any_failed": any(job.status is JobStatus.FAILED for job in latest),
        "jobs": told,
    }


@bp.post("/ingestion/retry")
@requires(Permission.WRITE)
@adds_work
@bp.output(RetriedOut, 202)
def retry_ingestion(persona_id: UUID) -> dict[str, Any]:
    """Read again what failed.

    Documents that were read stay read; 400 says that nothing failed.
    """
    with get_session() as session:
        again = files.retry(session, personas.get(session, scope(), persona_id))
    return get_jobs(persona_id) | {"retried_count": again.number, "retried": again.files}


@bp.delete("/ingestion/jobs")
@requires(Permission.WRITE)
@bp.output(ClearedOut)
def clear_ingestion_jobs(persona_id: UUID) -> dict[str, int]:
    """Forget the jobs that have ended.

    What was read stays.
    """
    with get_session() as session:
        return {"deleted": ingestion_jobs.clear(session, personas.get(session, scope(), persona_id))}


@bp.get("/collections")
@requires(Permission.READ)
@bp.output(CollectionsOut)
def get_collections(persona_id: UUID) -> dict[str, Any]:
    """Count what a persona has read.

    Files, passages and vectors by collection.
    """
    with get_session() as session:
        persona = personas.get(session, scope(), persona_id)
        model: str = current_app.config["SETTINGS"].embedding_model
        stored = files.collections(session, persona, embedding_model=model)
    return {"collections": stored, "total_vectors": sum(each.vectors for each in stored.values())}


@bp.get("/effective-config")
@requires(Permission.READ)
@bp.output(EffectiveConfigOut)
def get_effective_config(persona_id: UUID) -> dict[str, Any]:
    """Say how a persona's files are cut and recalled.

    What is asked for, by override or default, and what applies within the embedding model's window.
    """
    with get_session() as session:
        persona = personas.get(session, scope(), persona_id)
    asked = {collection: files.asked_for(persona, collection) for collection in CollectionType}
    return {
        "embedding_model": current_app.config["SETTINGS"].embedding_model,
        "collections": {
            name: {
                "configured": config,
                "effective": effective(config, window=current_app.config["SETTINGS"].embedding_window),
                "overridden": [field for field in OVERRIDES if getattr(persona, f"{name}_{field}", None) is not None],
            }
            for name, config in asked.items()
        },
    }


OVERRIDES = ("chunk_size", "chunk_overlap", "top_k")


def get_jobs(persona_id: UUID) -> dict[str, Any]:
    """Return a persona's latest jobs as they are now."""
    with get_session() as session:
        latest = ingestion_jobs.latest(session, personas.get(session, scope(), persona_id))
        percentages = ingestion_jobs.percentages(session, latest)
    return {"jobs": [with_progress(job, percentages[job.id]) for job in latest]}


def with_progress(job: IngestionJob, percentage: int) -> JobOut:
    """Return a job with its progress as of now."""
    return JobOut.model_validate(job).model_copy(update={"progress": percentage})


def told_of(job: IngestionJob, files: progress.GroupProgress) -> dict[str, Any]:
    """Return a job and how far its files are; its percentage never becomes less."""
    percentage = max(job.progress, files.percentage) if job.status in ingestion_jobs.ACTIVE else job.progress
    return with_progress(job, percentage).model_dump() | files._asdict()
