"""The files of a persona, by collection (seed 000), and the ingestion that reads them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.domain.persona import CollectionType, JobStatus, PersonaStatus
from shared.domain.retrieval import Collection, configured, effective
from shared.domain.workflow import RunParams, WorkflowStepType
from shared.errors import Conflict, Refused
from shared.logs import Correlation
from shared.models import (
    DataSource,
    DocumentURI,
    Embedding,
    IngestionJob,
    KnowledgeChunk,
    Persona,
    RunGroup,
    WorkflowRun,
)
from shared.queries.accounts import audit
from shared.queries.documents import documents
from shared.queries.documents.documents import Bytes
from shared.queries.rows import Slice, found, page, removed
from shared.queries.scope import Scope
from shared.queries.workflows import advance, control, ingestion_jobs, progress, runs, starts

SOURCE = "upload"


def add(
    session: Session, scope: Scope, persona: Persona, collection: CollectionType, named: Mapping[str, Bytes]
) -> list[DataSource]:
    """Add uploaded files, or the next versions of those with these names in the collection."""
    uris = {f"persona:{persona.id}/{collection.value}/{name}": name for name in named}
    arriving = {uri: named[name] for uri, name in uris.items()}
    registered = documents.register_many(session, scope, arriving, source=SOURCE)
    return [
        attach(session, persona, collection, uris[uri], location, size=arriving[uri].size)
        for uri, (location, _) in registered.items()
    ]


def attach(
    session: Session, persona: Persona, collection: CollectionType, name: str, location: DocumentURI, *, size: int
) -> DataSource:
    """Make what is found at a URI a file of a persona's collection; raises Conflict where it is another's already."""
    known = session.scalar(select(DataSource).where(DataSource.document_uri_id == location.id).with_for_update())
    row = known or DataSource(persona_id=persona.id, collection_type=collection, document_uri_id=location.id)
    if (row.persona_id, row.collection_type) != (persona.id, collection):
        raise Conflict(f"{location.uri} of {location.source} belongs to another collection: give it another source")
    row.file_name, row.file_path, row.file_size_bytes = name, location.doc_hash, size
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


def delete_(session: Session, scope: Scope, persona: Persona, file_id: UUID) -> list[str]:
    """Delete a file with its passages, and its documents where nobody else has them; return their hashes.

    Raises NotFound.
    """
    mine = select(DataSource).where(DataSource.persona_id == persona.id, DataSource.id == file_id)
    file = found(session.scalar(mine), "file", file_id)
    location = session.get(DocumentURI, file.document_uri_id) if file.document_uri_id else None
    doc_hashes = documents.hashes(session, [location] if location else [])
    if location is not None:  # before the file, as an upload locks them
        documents.delete_by_uri(session, scope, location.uri, location.source)
    removed(session, delete(DataSource).where(DataSource.id == file.id), of=file.id)
    return doc_hashes


def locations(session: Session, persona: Persona) -> Sequence[DocumentURI]:
    """Return where a persona's files are found, oldest first."""
    return session.scalars(_locations(persona).order_by(DocumentURI.id)).all()


def _locations(persona: Persona) -> Select[DocumentURI]:
    mine = select(DocumentURI).join(DataSource, DataSource.document_uri_id == DocumentURI.id)
    return mine.where(DataSource.persona_id == persona.id)


def steps_of(scope: Scope, persona: Persona) -> Select[int]:
    """Select the steps of a persona's ingestions, and of the scope's other work on its files."""
    in_jobs = WorkflowRun.run_group_id.in_(_groups_of(persona))
    on_files = WorkflowRun.id.in_(documents.runs_on(scope, _locations(persona)))
    return runs.steps_of(select(WorkflowRun.id).where(or_(in_jobs, on_files)))


def _groups_of(persona: Persona) -> Select[int]:
    groups = select(RunGroup.id).join(IngestionJob, IngestionJob.run_group_id == RunGroup.id)
    return groups.where(IngestionJob.persona_id == persona.id)


def release(session: Session, scope: Scope, persona: Persona, *, keep_files: bool = False) -> None:
    """End the ingestion of a persona that is about to be deleted, and delete its files unless they are kept."""
    for group_id in session.scalars(_groups_of(persona).order_by(RunGroup.id)).all():
        runs.delete_group(session, scope, group_id)
    for location in () if keep_files else locations(session, persona):
        documents.delete_by_uri(session, scope, location.uri, location.source)


class Retried(NamedTuple):
    """What is tried again: how many files, and the first of them as they were."""

    number: int
    files: list[progress.FileProgress]


def retry(session: Session, persona: Persona) -> Retried:
    """Run the files that failed in a persona's latest ingestion again, while the others go on.

    Raises Refused when nothing failed, or nothing that failed is left.
    """
    latest = ingestion_jobs.latest(session, persona)
    ended = select(WorkflowRun.id).where(
        WorkflowRun.run_group_id.in_([job.run_group_id for job in latest]),
        WorkflowRun.status.in_((RunStatus.FAILED, RunStatus.CANCELLED)),
    )
    again = session.scalars(ended).all()
    if not again:
        raise Refused(f"there is nothing to retry: {_why_nothing(latest)}")
    as_they_were = progress.of_runs(session, again)
    audit.record(session, "retry", Persona.__tablename__, persona.id)
    control.retry(session, again)
    return Retried(len(again), as_they_were)


def _why_nothing(latest: Sequence[IngestionJob]) -> str:
    if any(job.status is JobStatus.FAILED for job in latest):
        return "the files that failed are gone; start a new ingestion"
    return "no file of the latest ingestion has failed"


class CollectionCounts(NamedTuple):
    """What a persona holds of a collection: files, passages, and vectors under the model in use."""

    files: int
    passages: int
    vectors: int


def collections(session: Session, persona: Persona, *, embedding_model: str) -> dict[CollectionType, CollectionCounts]:
    """Count what a persona holds, by collection."""
    files = session.execute(
        select(DataSource.collection_type, func.count())
        .where(DataSource.persona_id == persona.id)
        .group_by(DataSource.collection_type)
    ).all()
    under_model = (Embedding.content_hash == KnowledgeChunk.content_hash) & (Embedding.model == embedding_model)
    stored = session.execute(
        select(KnowledgeChunk.collection_type, func.count(), func.count(Embedding.content_hash))
        .outerjoin(Embedding, under_model)
        .where(KnowledgeChunk.persona_id == persona.id)
        .group_by(KnowledgeChunk.collection_type)
    ).all()
    by_files, by_rows = dict(files), {name: counts for name, *counts in stored}
    return {name: CollectionCounts(by_files.get(name, 0), *by_rows.get(name, (0, 0))) for name in CollectionType}


def ingest(
    session: Session,
    scope: Scope,
    persona: Persona,
    *,
    embedding_model: str,
    embedding_window: int,
    meta: Correlation | None = None,
) -> list[IngestionJob]:
    """Start a job per collection over the persona's files; raises Conflict while one is at work."""
    there = session.scalar(select(Persona.id).where(Persona.id == persona.id).with_for_update(key_share=True))
    found(there, "persona", persona.id)
    active = select(IngestionJob.id).where(
        IngestionJob.persona_id == persona.id, IngestionJob.status.in_(ingestion_jobs.ACTIVE)
    )
    if session.scalar(active.limit(1)):
        raise Conflict(f"persona {persona.slug} is being ingested already: wait, or cancel its run groups")
    persona.status = PersonaStatus.INGESTING
    audit.record(session, "ingest", Persona.__tablename__, persona.id)
    collections = (CollectionType.PROFILE, CollectionType.WORKS, CollectionType.QUOTES)
    groups = [_add_group(session, scope, persona, collection) for collection in collections]
    started = [_add_job(session, persona, *each) for each in zip(collections, groups, strict=True)]
    for collection, group in zip(collections, groups, strict=True):
        located = _documents(session, persona, collection)
        readings = [Reading(location, persona, collection) for location in located]
        add_runs(
            session, group, readings, embedding_model=embedding_model, embedding_window=embedding_window, meta=meta
        )
        if not located:
            advance.end_empty(session, group)
    return started


def ingest_one(
    session: Session,
    scope: Scope,
    location: DocumentURI,
    *,
    persona: Persona | None = None,
    collection: CollectionType | None = None,
    embedding_model: str,
    embedding_window: int,
    priority: int = 0,
    meta: Correlation | None = None,
) -> RunGroup:
    """Start the run of one document in a group of its own; without a persona it is knowledge of the owner's."""
    group = starts.add_group(session, scope, f"single run {location.doc_hash}", batch_id=location.batch_id)
    reading = Reading(location, persona, collection)
    add_runs(
        session,
        group,
        [reading],
        embedding_model=embedding_model,
        embedding_window=embedding_window,
        priority=priority,
        meta=meta,
    )
    return group


class Reading(NamedTuple):
    """What is found at a URI, to be read; without a persona it becomes knowledge of the owner's."""

    location: DocumentURI
    persona: Persona | None = None
    collection: CollectionType | None = None


def add_runs(
    session: Session,
    group: RunGroup,
    readings: Sequence[Reading],
    *,
    embedding_model: str,
    embedding_window: int,
    priority: int = 0,
    meta: Correlation | None = None,
) -> None:
    """Add a run for each of the readings."""
    given = [
        starts.Start(
            location.doc_hash,
            step_configs(location, persona, collection or CollectionType.WORKS, embedding_model, embedding_window),
            _params(location, persona, collection),
        )
        for location, persona, collection in readings
    ]
    starts.add_runs(session, group, given, priority=priority, meta=meta)


def _params(location: DocumentURI, persona: Persona | None, collection: CollectionType | None) -> RunParams:
    told: RunParams = {"uri_id": location.id, "mime_type": location.mime_type, "doc_meta": location.doc_meta}
    if persona:
        told |= {"persona_id": str(persona.id), "collection": collection}
    return told


def _add_group(session: Session, scope: Scope, persona: Persona, collection: CollectionType) -> RunGroup:
    return starts.add_group(session, scope, f"{persona.slug} {collection.value}", params=collection.value)


def _add_job(session: Session, persona: Persona, collection: CollectionType, group: RunGroup) -> IngestionJob:
    job = IngestionJob(
        persona_id=persona.id, collection_type=collection, status=JobStatus.PENDING, run_group_id=group.id
    )
    session.add(job)
    session.flush()
    return job


def step_configs(
    location: DocumentURI, persona: Persona | None, collection: CollectionType, embedding_model: str, window: int
) -> starts.StepConfigs:
    """Return what really applies to each step of a collection's documents."""
    cut = effective(asked_for(persona, collection), window=window)
    return {
        WorkflowStepType.VALIDATE: {"mime_type": location.mime_type},
        WorkflowStepType.CHUNK: {
            "chunk_size": cut.chunk_size,
            "chunk_overlap": cut.chunk_overlap,
            "collection": collection.value,
        },
        WorkflowStepType.EMBED: {"model": embedding_model},
    }


def asked_for(persona: Persona | None, collection: CollectionType) -> Collection:
    """Return how a persona wants a collection cut and recalled: its overrides, seed 000's defaults for the rest."""
    names = {name: f"{collection.value}_{name}" for name in ("chunk_size", "chunk_overlap", "top_k")}
    return configured(collection, **{name: getattr(persona, column, None) for name, column in names.items()})


def _documents(session: Session, persona: Persona, collection: CollectionType) -> Sequence[DocumentURI]:
    mine = (
        select(DocumentURI)
        .join(DataSource, DataSource.document_uri_id == DocumentURI.id)
        .where(DataSource.persona_id == persona.id, DataSource.collection_type == collection)
    )
    return session.scalars(mine.order_by(DocumentURI.id)).all()
