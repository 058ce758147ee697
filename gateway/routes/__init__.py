"""A blueprint per resource."""

from gateway.routes import audit, conversations, keys, knowledge, messages, modules, personas, platform, turns, users

BLUEPRINTS = (
    platform.bp,
    personas.bp,
    conversations.bp,
    messages.bp,
    turns.bp,
    modules.bp,
    knowledge.bp,
    users.bp,
    keys.bp,
    audit.bp,
)
