"""When a module runs (seed 001): its kind, its context, and the stage these give. Pure."""

from enum import StrEnum
from typing import Protocol

from typing_extensions import TypedDict

from shared.domain import triggers
from shared.domain.triggers import Tell

ON_DEMAND_PRIORITY = 999
BEFORE, AFTER = (1, 2), (4, 5)


class ModuleType(StrEnum):
    """Text, or a script that makes text."""

    SIMPLE = "simple"
    ADVANCED = "advanced"


class ExecutionContext(StrEnum):
    """When a module runs: before the reply, after it, or when something asks for it."""

    IMMEDIATE = "IMMEDIATE"
    POST_RESPONSE = "POST_RESPONSE"
    ON_DEMAND = "ON_DEMAND"


class ExecutionStage(StrEnum):
    """The stages whose variables outlive the turn."""

    STAGE4 = "stage4"
    STAGE5 = "stage5"


class Purpose(StrEnum):
    """What a row of work with modules is for."""

    STAGE = "stage"  # a module that follows a reply
    RUN = "run"  # a module that somebody asked for
    TEST = "test"  # a script that is not saved
    RESOLVE = "resolve"  # a template


class RunInput(TypedDict, total=False):
    """What a run on demand was given: besides where and about what, a script to test, or a template to resolve."""

    persona_id: str | None
    message: str | None  # None: the conversation's last
    script: str
    content: str
    template: str  # missing: the persona's


class Placed(Protocol):
    """What decides when a module runs."""

    type: ModuleType
    execution_context: ExecutionContext
    requires_ai_inference: bool
    trigger_pattern: str | None


STAGE_OF = {
    (ExecutionContext.IMMEDIATE, False): 1,
    (ExecutionContext.IMMEDIATE, True): 2,
    (ExecutionContext.POST_RESPONSE, False): 4,
    (ExecutionContext.POST_RESPONSE, True): 5,
}

STAGE_NAMES = {
    1: "Stage 1: template preparation",
    2: "Stage 2: pre-response AI",
    3: "Stage 3: response",
    4: "Stage 4: post-response",
    5: "Stage 5: post-response AI",
    ON_DEMAND_PRIORITY: "On demand",
}


def stage_priority(context: ExecutionContext, *, uses_ai: bool) -> int:
    """Return the stage, 1, 2, 4 or 5, or 999 for what runs only on demand."""
    return STAGE_OF.get((context, uses_ai), ON_DEMAND_PRIORITY)


def is_uncalled(module: Placed) -> bool:
    """Say whether no message ever calls for a module: it runs on demand, and its pattern asks for nothing."""
    on_demand = module.type != ModuleType.SIMPLE and module.execution_context == ExecutionContext.ON_DEMAND
    return on_demand and not triggers.is_conditional(module.trigger_pattern)


def stage_before(module: Placed, message: str, tell: Tell = lambda why: None) -> int | None:
    """Return the stage, 1 or 2, in which a module runs before the reply to a message; None where it does not.

    Text runs never. What runs only on demand runs when its pattern asks for the message. `tell` hears here and below
    of a pattern that could not be searched for.
    """
    if module.type == ModuleType.SIMPLE or module.execution_context == ExecutionContext.POST_RESPONSE:
        return None
    if is_uncalled(module):
        return None
    return 1 + module.requires_ai_inference if triggers.matches(module.trigger_pattern, message, tell) else None


def stage_after(module: Placed, message: str, tell: Tell = lambda why: None) -> int | None:
    """Return the stage, 4 or 5, in which a module runs after the reply to a message; None where it does not."""
    if module.type == ModuleType.SIMPLE or module.execution_context != ExecutionContext.POST_RESPONSE:
        return None
    return 4 + module.requires_ai_inference if triggers.matches(module.trigger_pattern, message, tell) else None


def is_silent(module: Placed, message: str, tell: Tell = lambda why: None) -> bool:
    """Say whether a text waits for a message that its pattern asks for."""
    return module.type == ModuleType.SIMPLE and not triggers.matches(module.trigger_pattern, message, tell)
