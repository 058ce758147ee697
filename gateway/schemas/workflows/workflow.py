"""Runs of documents through a workflow, in groups (seed 004)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.schemas.base import AS_KEPT, Output
from gateway.schemas.paging import Page, PageQuery
from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import LifeCycleEvent, RunParams, StepMeta, WorkflowStepType


class GroupQuery(PageQuery):
    """Which groups."""

    batch_id: int | None = Field(default=None, ge=1, lt=2**63)


class GroupOut(Output):
    """Runs that were started together."""

    id: int
    name: str | None
    workflow_definition_id: str
    param_definition_id: str
    batch_id: int | None
    status: RunStatus
    status_message: str | None
    created_date: datetime
    start_date: datetime | None
    completed_date: datetime | None


class GroupPage(Page[GroupOut]):
    """Groups, newest first."""


class RunOut(Output):
    """One document's way through a workflow; paused while `paused_at` is set."""

    id: int
    run_group_id: int
    doc_id: str
    priority: int
    status: RunStatus
    status_message: str | None
    run_params: Annotated[RunParams, AS_KEPT]
    created_date: datetime
    start_date: datetime | None
    completed_date: datetime | None
    paused_at: datetime | None


class FileProgressOut(Output):
    """How far one file is; what is not known is null.

    `step` is the one it is at; `reason` says why it failed, or why it is tried again; `warning` tells what of it could
    not be read. `seconds_left` is an estimate from the last minutes.
    """

    run_id: int
    file_name: str
    document_hash: str
    status: RunStatus
    step: str | None
    step_status: RunStatus | None
    step_seconds: float | None
    passages: int | None
    passages_done: int
    seconds_left: float | None
    reason: str | None
    warning: str | None
    pages_without_text: list[int]


class ProgressOut(Output):
    """How far some files are together; a failed one's passages are not counted. `files`: the first few hundred."""

    counts: dict[RunStatus, int] = Field(default_factory=dict)
    passages: int = 0
    passages_done: int = 0
    seconds_left: float | None = None
    files: list[FileProgressOut] = Field(default_factory=list)


class GroupWithRuns(ProgressOut, GroupOut):
    """A group with its runs by status, the first of them one by one, and how far the file of each is."""

    runs: list[RunOut]


class StepOut(Output):
    """One step of a run; it is also work of the kind `steps`."""

    id: int
    workflow_step_number: int
    workflow_step_name: str
    step_type: WorkflowStepType
    queue: str
    status: RunStatus
    status_message: str | None
    status_meta: Annotated[StepMeta, AS_KEPT]
    retry: int
    retries: int
    worker_id: str | None
    start_date: datetime | None
    completed_date: datetime | None


class EventOut(Output):
    """Something that happened to a run or to one of its steps."""

    event: LifeCycleEvent
    step_id: int | None
    start_date: datetime
    status_message: str | None


class RunWithSteps(RunOut):
    """A run with its steps in order, and what happened to it."""

    steps: list[StepOut]
    lifecycle: list[EventOut]
