"""A blueprint per resource."""

from gateway.routes import (
    audit,
    conversations,
    documents,
    files,
    ingestion,
    keys,
    knowledge,
    messages,
    modules,
    personas,
    platform,
    search,
    turns,
    users,
    work,
    workflow,
)

BLUEPRINTS = (
    platform.bp,
    personas.bp,
    files.bp,
    ingestion.bp,
    conversations.bp,
    messages.bp,
    turns.bp,
    modules.bp,
    knowledge.bp,
    search.bp,
    documents.bp,
    workflow.bp,
    work.bp,
    users.bp,
    keys.bp,
    audit.bp,
)
