"""Every table; import from here so that the metadata is whole."""

from shared.models.base import Audited, Base, Identified, Numbered, Owned, Timestamped, Work
from shared.models.conversations import Conversation, Message
from shared.models.documents import Document, DocumentBatch, DocumentBytes, DocumentURI, DocumentURIHistory
from shared.models.fetches import Fetch
from shared.models.knowledge import Embedding, EmbeddingModel, EmbeddingState, KnowledgeChunk, PassageEmbedding
from shared.models.marketplace import DataSource, IngestionJob
from shared.models.memory import ConversationMemory, MemoryWindow
from shared.models.modules import Module
from shared.models.people import Person, PersonaVersion, PersonData
from shared.models.personas import Persona
from shared.models.platform import ApiKey, AuditEntry, IdempotencyKey, ProviderProfile, Usage, Webhook, WebhookDelivery
from shared.models.states import ConversationState
from shared.models.turns import ModuleExecution, Turn, TurnTrace
from shared.models.users import User
from shared.models.workflows import (
    ConfigSet,
    ConfigSetItem,
    LifecycleHistory,
    RunGroup,
    RunStep,
    StepConfig,
    SweepWatch,
    WorkerCheckin,
    WorkflowRun,
)

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Audited",
    "Base",
    "ConfigSet",
    "ConfigSetItem",
    "Conversation",
    "ConversationMemory",
    "ConversationState",
    "DataSource",
    "Document",
    "DocumentBatch",
    "DocumentBytes",
    "DocumentURI",
    "DocumentURIHistory",
    "Embedding",
    "EmbeddingModel",
    "EmbeddingState",
    "Fetch",
    "IdempotencyKey",
    "Identified",
    "IngestionJob",
    "KnowledgeChunk",
    "LifecycleHistory",
    "MemoryWindow",
    "Message",
    "Module",
    "ModuleExecution",
    "Numbered",
    "Owned",
    "PassageEmbedding",
    "Person",
    "PersonData",
    "Persona",
    "PersonaVersion",
    "ProviderProfile",
    "RunGroup",
    "RunStep",
    "StepConfig",
    "SweepWatch",
    "Timestamped",
    "Turn",
    "TurnTrace",
    "Usage",
    "User",
    "Webhook",
    "WebhookDelivery",
    "Work",
    "WorkerCheckin",
    "WorkflowRun",
]
