"""Modules that are run on demand, scripts that are tested, templates that are resolved, and what came of them."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from gateway.schemas.base import AS_KEPT, Input, Output, example
from gateway.schemas.personas.modules import LONGEST_SCRIPT
from shared.domain.lifecycle import RunStatus
from shared.domain.stages import Purpose
from shared.domain.trace import StageTrace
from shared.models import ModuleExecution
from shared.queries.on_demand import Asked

NO_ID = "00000000-0000-4000-8000-000000000000"


class RunIn(Input):
    """In what a module runs; without a message it is the last one of the conversation."""

    model_config = example(conversation_id=NO_ID, message="What time is it?")

    conversation_id: UUID | None = None
    persona_id: UUID | None = None
    message: str | None = Field(default=None, max_length=100_000)

    def asked(self) -> Asked:
        """Return it as the queries take it."""
        return Asked(self.conversation_id, self.persona_id, self.message)


class ScriptIn(RunIn):
    """A script to try, which is not saved, and the content that it fills in."""

    model_config = example(
        script="ctx.set_variable('time', ctx.get_current_time())", content="It is ${time}.", conversation_id=NO_ID
    )

    script: str = Field(max_length=LONGEST_SCRIPT)
    content: str = Field(default="", max_length=LONGEST_SCRIPT)


class ResolveIn(RunIn):
    """A template to resolve, by default the persona's."""

    model_config = example(template="You are Ava. @clock", conversation_id=NO_ID, message="What time is it?")

    template: str | None = Field(default=None, min_length=1, max_length=LONGEST_SCRIPT)


class WaitQuery(Input):
    """Whether to wait for the result."""

    wait: bool = Field(default=True, description="For what a worker does, 30 seconds at most; else 202 at once.")


class WarningOut(Output):
    """Something that a text had to go without."""

    module_name: str
    warning_type: str
    message: str
    stage: int | None


class ExecutionOut(Output):
    """A run in worker-modules; its result, once there, is at /api/v1/module-executions/{id}."""

    id: int
    purpose: Purpose
    module_id: UUID | None
    conversation_id: UUID | None
    turn_id: int | None
    stage: int | None
    status: RunStatus
    status_message: str | None
    created_date: datetime
    start_date: datetime | None
    completed_date: datetime | None


class RanOut(Output):
    """What a script came to; one that failed has no success, an error, and what it printed until then."""

    execution_id: int
    success: bool
    resolved_content: str
    outputs: dict[str, Any]
    error: str | None
    traceback: str | None
    warnings: list[WarningOut]
    printed: str
    log: list[str]
    seconds: float
    ai_calls: int
    ai_seconds: float

    @classmethod
    def of(cls, row: ModuleExecution) -> Self:
        """Read it from a row that has ended."""
        trace = row.trace
        message = trace.get("message") or ""
        return cls(
            execution_id=row.id,
            success=trace.get("status", "ok") == "ok",
            resolved_content=row.output or "",
            outputs=row.variables,
            error=message.strip().rpartition("\n")[2] or None,
            traceback=message or None,
            warnings=trace.get("warnings", []),
            printed=trace.get("printed", ""),
            log=trace.get("log", []),
            seconds=trace.get("seconds", 0.0),
            ai_calls=trace.get("ai_calls", 0),
            ai_seconds=trace.get("ai_seconds", 0.0),
        )


class ResolvedOut(Output):
    """A template with its modules in place, and how it came about, stage by stage."""

    execution_id: int
    resolved_template: str
    warnings: list[WarningOut]
    resolved_modules: list[str]
    stages: Annotated[list[StageTrace], AS_KEPT]

    @classmethod
    def of(cls, row: ModuleExecution) -> Self:
        """Read it from a row that has ended."""
        stages = row.trace.get("stages", [])
        return cls(
            execution_id=row.id,
            resolved_template=row.output or "",
            warnings=row.trace.get("warnings", []),
            resolved_modules=stages[-1]["resolved_modules"] if stages else [],
            stages=stages,
        )


class ResultOut(ExecutionOut):
    """A run and its result, which is null until it has ended."""

    result: RanOut | ResolvedOut | None

    @classmethod
    def of(cls, row: ModuleExecution) -> Self:
        """Read it from a row."""
        result = result_of(row) if row.status is RunStatus.COMPLETED else None
        return cls(**ExecutionOut.model_validate(row).model_dump(), result=result)


def result_of(row: ModuleExecution) -> RanOut | ResolvedOut:
    """Return the result of a row that has ended."""
    return ResolvedOut.of(row) if row.purpose is Purpose.RESOLVE else RanOut.of(row)


class ParameterOut(Output):
    """What a function takes; `*name` and `**name` take any number."""

    name: str
    type: str
    default: Any
    required: bool


class FunctionOut(Output):
    """A function that scripts call."""

    name: str
    signature: str
    docstring: str = Field(validation_alias="doc")
    category: str
    parameters: list[ParameterOut]


class FunctionsOut(Output):
    """Every function of `ctx`."""

    functions: list[FunctionOut]
    total_count: int
