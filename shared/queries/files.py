"""The files of a persona, by collection (seed 000), and the ingestion that reads them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.domain.persona import CollectionType, JobStatus, PersonaStatus
from shared.domain.retrieval import DEFAULTS, effective
from shared.domain.workflow import WorkflowStepType
from shared.errors import Conflict
from shared.models import DataSource, DocumentURI, IngestionJob, Persona, RunGroup
from shared.queries import documents, jobs, workflows
from shared.queries.documents import Bytes
from shared.queries.rows import Slice, found, page
from shared.queries.scope import Scope

SOURCE = "upload"


def add(
    session: Session, scope: Scope, persona: Persona, collection: CollectionType, name: str, stored: Bytes
) -> DataSource:
    """Add an uploaded file, or the next version of the one with that name in the collection."""
    uri = f"persona:{persona.id}/{collection.value}/{name}"
    location, _ = documents.register(session, scope, stored, uri=uri, source=SOURCE)
    known = session.scalar(select(DataSource).where(DataSource.document_uri_id == location.id).with_for_update())
    row = known or DataSource(persona_id=persona.id, collection_type=collection, document_uri_id=location.id)
    row.file_name, row.file_path, row.file_size_bytes = name, f"{stored.doc_hash}", stored.size
    session.add(row)
    session.flush()
    return row


def list_(
    session: Session, persona: Persona, *, collection: CollectionType | None, limit: int, offset: int
) -> Slice[DataSource]:
    """Return a persona's files, oldest first; of one collection where it is given."""
    mine = select(DataSource).where(DataSource.persona_id == persona.id)
    if collection is not None:
        mine = mine.where(DataSource.collection_type == collection)
    return page(session, mine.order_by(DataSource.created_at, DataSource.id), limit=limit, offset=offset)


def delete_(session: Session, scope: Scope, persona: Persona, file_id: UUID) -> None:
    """Delete a file with its passages, and its document where nobody else has it; raises NotFound."""
    mine = select(DataSource).where(DataSource.persona_id == persona.id, DataSource.id == file_id)
    file = found(session.scalar(mine), "file", file_id)
    location = session.get(DocumentURI, file.document_uri_id) if file.document_uri_id else None
    session.execute(delete(DataSource).where(DataSource.id == file.id))
    if location is not None:
        documents.delete_by_uri(session, scope, location.uri, location.source)


def ingest(
    session: Session, scope: Scope, persona: Persona, *, embedding_model: str, meta: dict[str, str] | None = None
) -> list[IngestionJob]:
    """Start a job per collection over the persona's files; raises Conflict while one is at work."""
    session.execute(select(Persona.id).where(Persona.id == persona.id).with_for_update())
    active = select(IngestionJob.id).where(IngestionJob.persona_id == persona.id, IngestionJob.status.in_(jobs.ACTIVE))
    if session.scalar(active.limit(1)):
        raise Conflict(f"persona {persona.slug} is being ingested already: wait, or cancel its run groups")
    persona.status = PersonaStatus.INGESTING
    return [
        _start(session, scope, persona, collection, embedding_model=embedding_model, meta=meta)
        for collection in (CollectionType.PROFILE, CollectionType.WORKS, CollectionType.QUOTES)
    ]


def _start(
    session: Session,
    scope: Scope,
    persona: Persona,
    collection: CollectionType,
    *,
    embedding_model: str,
    meta: dict[str, str] | None,
) -> IngestionJob:
    files = _documents(session, persona, collection)
    group = workflows.add_group(session, scope, f"{persona.slug} {collection.value}", params=collection.value)
    job = IngestionJob(
        persona_id=persona.id, collection_type=collection, status=JobStatus.PENDING, run_group_id=group.id
    )
    session.add(job)
    session.flush()
    configs = step_configs(persona, collection, embedding_model)
    for location in files:
        params = {"persona_id": str(persona.id), "collection": collection.value, "uri_id": location.id}
        workflows.add_run(session, group, location.doc_hash, configs, params=params, meta=meta)
    if not files:
        workflows.end_empty(session, group)
    return job


def step_configs(persona: Persona, collection: CollectionType, embedding_model: str) -> workflows.StepConfigs:
    """Return what really applies to each step of a collection's documents."""
    is_works = collection is CollectionType.WORKS
    cut = effective(
        collection,
        chunk_size=persona.works_chunk_size if is_works else None,
        chunk_overlap=persona.works_chunk_overlap if is_works else None,
    )
    return {
        WorkflowStepType.CHUNK: {
            "chunk_size": cut.chunk_size,
            "chunk_overlap": cut.chunk_overlap,
            "collection": collection.value,
        },
        WorkflowStepType.EMBED: {"model": embedding_model},
    }


def _documents(session: Session, persona: Persona, collection: CollectionType) -> Sequence[DocumentURI]:
    mine = (
        select(DocumentURI)
        .join(DataSource, DataSource.document_uri_id == DocumentURI.id)
        .where(DataSource.persona_id == persona.id, DataSource.collection_type == collection)
    )
    return session.scalars(mine.order_by(DocumentURI.id)).all()


def count_by_collection(session: Session, persona: Persona) -> dict[str, int]:
    """Count a persona's files by collection."""
    counted = select(DataSource.collection_type, func.count()).where(DataSource.persona_id == persona.id)
    counts = dict(session.execute(counted.group_by(DataSource.collection_type)).all())
    return {collection.value: counts.get(collection, 0) for collection in DEFAULTS}


def group_of(session: Session, job: IngestionJob) -> RunGroup | None:
    """Return the run group that does a job's work."""
    return session.get(RunGroup, job.run_group_id) if job.run_group_id else None
