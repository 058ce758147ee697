"""Seed 001, Project 2501: `from shared.api.project_2501 import Module, ModuleType`."""

from shared.db import get_session
from shared.domain.conversation import MessageRole
from shared.domain.stages import ExecutionContext, ExecutionStage, ModuleType
from shared.models import Base, Conversation, ConversationMemory, ConversationState, Message, Module, Persona

__all__ = [
    "Base",
    "Conversation",
    "ConversationMemory",
    "ConversationState",
    "ExecutionContext",
    "ExecutionStage",
    "Message",
    "MessageRole",
    "Module",
    "ModuleType",
    "Persona",
    "get_session",
]
