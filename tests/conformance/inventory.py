"""Every Python block of the five seed documents, in order, by its first line; and who runs it."""

from collections.abc import Callable
from typing import Any, TypeVar

BLOCKS = {
    "000": (
        "from models import init_db",
        "from models import get_session, Persona",
        "from models import get_session, Persona",
        "from models import get_session, IngestionJob",
        "from models import get_session, DataSource",
        "from models import get_session, Persona",
        "from models import get_session, Persona",
        "from models import get_session, Persona",
        "with get_session() as session:",
    ),
    "001": (
        "class Base:",
        'persona = Persona(name="Assistant", template="You are @greeting_module")',
        "class ModuleType(str, enum.Enum):",
        "# Script analysis",
        'conversation = Conversation(title="Chat 1", persona_id=persona.id)',
        "class MessageRole(str, enum.Enum):",
        "message = Message(",
        "class ExecutionStage(str, enum.Enum):",
        "# Query methods",
        "# Query methods",
        "# Create",
        "# Create advanced module",
        "# Create conversation",
        "# Store module execution result",
        "personas = db.query(Persona).filter(",
        "stage2_modules = db.query(Module).filter(",
        "recent_messages = db.query(Message).filter(",
        "states = ConversationState.get_for_conversation(db, conv_id).all()",
        "def test_persona_creation(db_session):",
        "def test_conversation_messages(db_session):",
        "def test_conversation_cascade_delete(db_session):",
        "# Use joinedload for known relationships",
        "# Bulk insert",
    ),
    "002": (
        "from app.db import get_supabase_client",
        "from app.repositories.persona_repo import get_persona_repository",
        "from app.db import get_supabase_client",
        "from postgrest.exceptions import APIError",
        "from app.db import reset_supabase_client",
    ),
    "003": (
        "from database.db_config import get_session, init_db",
        "user = User(",
        "conversation = Conversation(",
        "message = Message(",
        "chunk = KnowledgeChunk(",
        "from database.repository import create_user, get_user_by_email",
        "from database.repository import create_conversation, list_conversations_for_user",
        "from database.repository import add_message, list_messages_for_conversation",
        "from database.repository import upsert_knowledge_chunk, bulk_upsert_knowledge_chunks",
        "from database.db_config import get_session",
    ),
    "004": (
        "from soliplex.ingester.lib.models import Database",
        "from soliplex.ingester.lib.models import get_session, get_engine",
        "class RunStatus(str, Enum):",
        "class WorkflowStepType(str, Enum):",
        "class ArtifactType(Enum):",
        "class LifeCycleEvent(str, Enum):",
        "class DocumentInfo(BaseModel):",
        "class WorkflowRunWithDetails(BaseModel):",
        "class PaginatedResponse[T](BaseModel):",
        "from soliplex.ingester.lib.models import Database",
        "async def delete_run_group(run_group_id: int) -> dict[str, int]",
        "from soliplex.ingester.lib.wf.operations import delete_run_group, NotFoundError",
        "{",
        "async def delete_document_uri_by_uri(uri: str, source: str) -> dict[str, int]",
        "{",
        "from soliplex.ingester.lib.operations import delete_document_uri_by_uri",
        "from soliplex.ingester.lib.models import WorkflowRun, RunStatus, get_session",
        "from sqlmodel import func, select",
        "from datetime import datetime, timedelta",
    ),
}

Block = tuple[str, int]
Test = TypeVar("Test", bound=Callable[..., Any])

RUN: set[Block] = set()


def example(seed: str, *numbers: int) -> Callable[[Test], Test]:
    """Note that a test runs these blocks of a seed, numbered from 1."""
    RUN.update((seed, number) for number in numbers)
    return lambda test: test
