"""Seed 004's vocabulary of document workflows, and which worker takes which step. Pure."""

from enum import StrEnum
from typing import Any

from typing_extensions import TypedDict

from shared.domain import queues
from shared.domain.lifecycle import Meta
from shared.domain.persona import CollectionType


class WorkflowStepType(StrEnum):
    """What a step does to a document."""

    INGEST = "ingest"
    VALIDATE = "validate"
    PARSE = "parse"
    CHUNK = "chunk"
    EMBED = "embed"
    STORE = "store"
    ENRICH = "enrich"
    ROUTE = "route"


class ArtifactType(StrEnum):
    """What a step leaves behind."""

    DOC = "document"
    PARSED_MD = "parsed_markdown"
    PARSED_JSON = "parsed_json"
    CHUNKS = "chunks"
    EMBEDDINGS = "embeddings"
    RAG = "rag"


class LifeCycleEvent(StrEnum):
    """What happened to a group, a run or a step."""

    GROUP_START = "group_start"
    GROUP_END = "group_end"
    ITEM_START = "item_start"
    ITEM_END = "item_end"
    ITEM_FAILED = "item_failed"
    STEP_START = "step_start"
    STEP_END = "step_end"
    STEP_FAILED = "step_failed"


class RunParams(TypedDict, total=False):
    """What a document's run was started with; without a persona it becomes knowledge of its owner's."""

    uri_id: int  # where the document is found; its passages are stored as those of this place
    mime_type: str | None  # what the sender takes it for; None: what its bytes are
    doc_meta: dict[str, Any]  # what the sender says of it
    persona_id: str
    collection: CollectionType | None  # read from a row it is the value, which is equal


class StepSettings(TypedDict, total=False):
    """What really applies to one step of a run: a step has the keys that it needs."""

    mime_type: str | None  # validate
    chunk_size: int  # chunk: tokens
    chunk_overlap: int
    collection: str
    model: str  # embed


class DocumentFacts(TypedDict, total=False):
    """What a document's steps found out about its bytes; what a sender says of them may stand beside it."""

    is_valid: bool
    file_size: int  # bytes
    page_count: int
    title: str
    author: str


class StepFacts(TypedDict, total=False):
    """What a step found out: kept with the step, but for `document`, which is kept with the document."""

    document: DocumentFacts
    characters: int  # parse: of the whole text
    reused: bool | int  # parse: the text was there already; embed: how many vectors were
    pages_without_text: list[int]  # parse: the first hundred
    warning: str  # parse: what of the file could not be read, in words
    passages: int  # chunk and embed
    passages_done: int  # embed, while it runs: how many have their vectors
    marks: list[list[float]]  # embed: when (seconds since the epoch) how many were done
    model: str  # embed
    embedded: int  # embed: texts that nobody had embedded before
    stored: int  # store
    superseded: bool  # store: a newer version was found at the place, so nothing was stored


class StepMeta(Meta, StepFacts):
    """The `status_meta` of a step: that of every row of work, and what the step found out."""


ARTIFACTS: dict[WorkflowStepType, tuple[ArtifactType, ...]] = {
    WorkflowStepType.INGEST: (ArtifactType.DOC,),
    WorkflowStepType.PARSE: (ArtifactType.PARSED_MD, ArtifactType.PARSED_JSON),
    WorkflowStepType.CHUNK: (ArtifactType.CHUNKS,),
    WorkflowStepType.EMBED: (ArtifactType.EMBEDDINGS,),
    WorkflowStepType.STORE: (ArtifactType.RAG,),
}

_EMBEDDING_STEPS = frozenset({WorkflowStepType.EMBED, WorkflowStepType.STORE})


def artifacts_of(step_type: WorkflowStepType) -> tuple[ArtifactType, ...]:
    """Return what a step of this type leaves behind, in seed 004's order; nothing for validate, enrich and route."""
    return ARTIFACTS.get(step_type, ())


def queue_of(step_type: WorkflowStepType) -> str:
    """Return the name of the queue on which a step of this type waits."""
    return queues.EMBEDDING if step_type in _EMBEDDING_STEPS else queues.INGESTION
