"""When a module runs (seed 001): its kind, its context, and the stage these give. Pure."""

from enum import StrEnum

ON_DEMAND_PRIORITY = 999


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
