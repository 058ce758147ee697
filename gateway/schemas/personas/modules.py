"""Modules: the pieces of a prompt."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, computed_field

from gateway.schemas.base import AS_KEPT, Change, Output, example
from gateway.schemas.paging import Page, PageQuery
from shared.domain.analysis import ScriptAnalysis, faults_of_script
from shared.domain.stages import ExecutionContext, ModuleType
from shared.domain.template import MODULE_NAME
from shared.domain.triggers import fault_of

Name = Annotated[str, Field(pattern=f"^{MODULE_NAME}$")]
LONGEST_SCRIPT = 100_000


def _searchable(pattern: str | None) -> str | None:
    if (fault := fault_of(pattern)) is not None:
        raise ValueError(f"this pattern cannot be used: {fault}")
    return pattern


Pattern = Annotated[str | None, Field(max_length=500), AfterValidator(_searchable)]


class ModuleChange(Change):
    """What to change of a module."""

    model_config = example(content="It is ${time}.", is_active=True)

    name: Name = ""
    description: str | None = None
    content: str | None = None
    type: ModuleType = ModuleType.SIMPLE
    trigger_pattern: Pattern = None
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
    script_analysis_metadata: Annotated[ScriptAnalysis, AS_KEPT]
    is_active: bool
    created_at: datetime
    updated_at: datetime

    @computed_field
    def warnings(self) -> list[str]:
        """Why the script will fail as it is, so that whoever saves it hears it at once."""
        return faults_of_script(self.script_analysis_metadata)


class ModulePage(Page[ModuleOut]):
    """Modules, newest first."""
