"""Rows of work, and the workers that hold them."""

from datetime import datetime
from typing import Annotated

from gateway.schemas.base import AS_KEPT, Output
from gateway.schemas.paging import Page
from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import StepMeta


class WorkOut(Output):
    """A row of work, whatever its kind; the `status_meta` of a step also says what it found out."""

    id: int
    queue: str
    priority: int
    status: RunStatus
    status_message: str | None
    status_meta: Annotated[StepMeta, AS_KEPT]
    retry: int
    retries: int
    crashes: int
    fence: int
    worker_id: str | None
    ready_at: datetime | None
    lease_until: datetime | None
    cancel_requested_at: datetime | None
    created_date: datetime
    start_date: datetime | None
    completed_date: datetime | None


class WhyOut(Output):
    """Why a row of work is where it is; what does not apply is null."""

    status: RunStatus
    reason: str
    queue: str
    position: int | None
    listeners: int | None
    holder: str | None
    last_heartbeat: datetime | None
    lease_until: datetime | None
    next_retry: datetime | None


class HeldOut(Output):
    """A row that a worker works on."""

    kind: str
    id: int
    since: datetime


class WorkerOut(Output):
    """A worker process; of the rows that it holds, one's own."""

    id: str
    queues: list[str]
    first_checkin: datetime
    last_checkin: datetime
    last_claim: datetime | None
    alive: bool
    holds: list[HeldOut]


class WorkerPage(Page[WorkerOut]):
    """Workers, those heard of last first."""
