"""What a run of a module is made of, and who answers its questions."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, cast

from services import leases
from shared.domain.trace import RunTrace
from shared.models import Module
from shared.providers.chat.chat import Chat
from shared.providers.chat.extractive import EXTRACTIVE, Extractive
from shared.providers.chat.http_chat import connect_chat
from shared.scripting.asking import SideCall
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution
from shared.settings import Settings, get_settings


class ModuleTools(NamedTuple):
    """The outside world of a module."""

    settings: Settings
    chat: Chat


@cache
def tools() -> ModuleTools:
    """Connect to what the settings name."""
    settings = get_settings()
    return ModuleTools(settings, connect_chat(settings))


@dataclass(frozen=True)
class Assignment:
    """A module, where it runs, and what it kept in earlier turns."""

    module: Module
    stage: int | None
    surroundings: Surroundings
    stored: dict[str, Any]
    provider_type: str | None


def side_call(provider_type: str | None) -> SideCall:
    """Return who answers questions for the work of this thread: the configured model, or sentences that were said."""
    held = leases.current()
    assert held is not None
    return SideCall(Extractive() if provider_type == EXTRACTIVE else tools().chat, held.closes)


def within_budget(surroundings: Surroundings) -> Surroundings:
    """Give a run the operator's limits for prompt and reply."""
    settings = tools().settings
    return replace(surroundings, budget=settings.chat_context_tokens, longest_reply=settings.chat_max_tokens)


def asking(assignment: Assignment) -> Surroundings:
    """Return the surroundings of a run that may ask the model."""
    return replace(within_budget(assignment.surroundings), ask=side_call(assignment.provider_type))


def trace(done: Execution) -> RunTrace:
    """Return how a run went, its warnings with it."""
    return cast("RunTrace", done.trace() | {"warnings": [warning.trace() for warning in done.warnings()]})
