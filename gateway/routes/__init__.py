"""A blueprint per resource."""

from gateway.routes import audit, conversations, keys, knowledge, messages, personas, platform, turns, users

BLUEPRINTS = (
    platform.bp,
    personas.bp,
    conversations.bp,
    messages.bp,
    turns.bp,
    knowledge.bp,
    users.bp,
    keys.bp,
    audit.bp,
)
