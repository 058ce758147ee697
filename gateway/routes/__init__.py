"""A blueprint per resource."""

from gateway.routes import platform
from gateway.routes.accounts import audit, keys, users
from gateway.routes.dialogue import conversations, executions, memories, messages, turns
from gateway.routes.documents import batches, documents, files
from gateway.routes.knowledge import asking, knowledge, search
from gateway.routes.personas import modules, personas, templates
from gateway.routes.workflows import ingestion, work, workflow

BLUEPRINTS = (
    platform.bp,
    personas.bp,
    files.bp,
    ingestion.bp,
    conversations.bp,
    messages.bp,
    memories.bp,
    turns.bp,
    modules.bp,
    executions.bp,
    templates.bp,
    knowledge.bp,
    search.bp,
    asking.bp,
    documents.bp,
    batches.bp,
    workflow.bp,
    work.bp,
    users.bp,
    keys.bp,
    audit.bp,
)
