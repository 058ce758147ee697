"""Modules: the pieces of a prompt."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from gateway.schemas.base import Change, Output, example
from gateway.schemas.paging import Page, PageQuery
from shared.domain.stages import ExecutionContext, ModuleType
from shared.domain.template import MODULE_NAME

Name = Annotated[str, Field(pattern=f"^{MODULE_NAME}$")]
LONGEST_SCRIPT = 100_000


class ModuleChange(Change):
    """What to change of a module."""

    model_config = example(content="It is ${time}.", is_active=True)

    name: Name = ""
    description: str | None = None
    content: str | None = None
    type: ModuleType = ModuleType.SIMPLE
    trigger_pattern: str | None = Field(default=None, max_length=500)
    script: str | None = Field(default=None, max_length=LONGEST_SCRIPT)
    execution_context: ExecutionContext = ExecutionContext.ON_DEMAND
    is_active: bool = True


class ModuleIn(ModuleChange):
    """A module to add; templates refer to it as `@name`."""

    model_config = example(
        name="clock",
        description="The time of day",
        type="advanced",
        execution_context="IMMEDIATE",
        content="It is ${time}.",
        script="ctx.set_variable('time', ctx.get_current_time())",
    )

    name: Name


class ModuleQuery(PageQuery):
    """Which modules; inactive ones only when asked for."""

    type: ModuleType | None = None
    active_only: bool = True


class ModuleOut(Output):
    """A module, and what the analysis of its script found."""

    id: UUID
    name: str
    description: str | None
    content: str | None
    type: ModuleType
    trigger_pattern: str | None
    script: str | None
    execution_context: ExecutionContext
    requires_ai_inference: bool
    script_analysis_metadata: dict[str, Any]
    is_active: bool
    created_at: datetime
    updated_at: datetime


class ModulePage(Page[ModuleOut]):
    """Modules, newest first."""
