"""Seed 004's vocabulary of document workflows, and which worker takes which step. Pure."""

from enum import StrEnum

from shared.domain import queues


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
