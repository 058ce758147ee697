"""The kinds of work by the names that people use, and whose each row is."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RETRIABLE, RunStatus
from shared.errors import Conflict, NotFound
from shared.models import (
    Conversation,
    Fetch,
    MemoryWindow,
    ModuleExecution,
    PassageEmbedding,
    RunGroup,
    RunStep,
    Turn,
    Webhook,
    WebhookDelivery,
    Work,
    WorkerCheckin,
    WorkflowRun,
)
from shared.queries import control, turns, work
from shared.queries.rows import Slice, found, page_of_columns
from shared.queries.scope import Scope

ALIVE_SECONDS = 20


class Kind(NamedTuple):
    """A table of work, and the owner of a row, who is known by its parent."""

    model: type[Work]
    joined: Callable[[Select[Any]], Select[Any]]
    owner_id: Any


def _with_group(statement: Select[Any]) -> Select[Any]:
    return statement.join(WorkflowRun, WorkflowRun.id == RunStep.workflow_run_id).join(
        RunGroup, RunGroup.id == WorkflowRun.run_group_id
    )


KINDS = {
    "turns": Kind(Turn, lambda s: s.join(Conversation, Conversation.id == Turn.conversation_id), Conversation.owner_id),
    "steps": Kind(RunStep, _with_group, RunGroup.owner_id),
    "fetches": Kind(Fetch, lambda s: s, Fetch.owner_id),
    "module_executions": Kind(ModuleExecution, lambda s: s, ModuleExecution.owner_id),
    "memory_windows": Kind(
        MemoryWindow,
        lambda s: s.join(Conversation, Conversation.id == MemoryWindow.conversation_id),
        Conversation.owner_id,
    ),
    "passage_embeddings": Kind(PassageEmbedding, lambda s: s, PassageEmbedding.owner_id),
    "webhook_deliveries": Kind(
        WebhookDelivery, lambda s: s.join(Webhook, Webhook.id == WebhookDelivery.webhook_id), Webhook.owner_id
    ),
}


def get(session: Session, scope: Scope, kind: str, row_id: int) -> Work:
    """Return a row of work of the scope's; raises NotFound, for a kind that does not exist too."""
    if kind not in KINDS:
        raise NotFound(f"no kind of work is called {kind}: there are {', '.join(KINDS)}")
    model = KINDS[kind].model
    row: Work | None = session.scalar(_owned(KINDS[kind], scope, model).where(model.id == row_id))
    return found(row, "work", f"{kind}/{row_id}")


def _owned(kind: Kind, scope: Scope, *columns: Any) -> Select[Any]:
    return kind.joined(select(*columns).select_from(kind.model)).where(kind.owner_id == scope.owner_id)


def cancel(session: Session, row: Work) -> work.Cancelled:
    """Cancel a row; a step takes the rest of its run with it."""
    if isinstance(row, RunStep):
        return control.cancel(session, [row.workflow_run_id])
    return work.cancel(session, type(row), [row.id])


def retry(session: Session, row: Work) -> set[str]:
    """Put a row that failed or was cancelled back to its start; return the queues to ring; raises Conflict."""
    if isinstance(row, RunStep):
        return control.retry(session, [row.workflow_run_id])
    if row.status not in RETRIABLE:
        raise Conflict(f"nothing to retry: it is {row.status.value}")
    ready = not (isinstance(row, Turn) and turns.others_alive(session, row))
    if not work.retry(session, type(row), [row.id], ready=ready):
        raise Conflict("nothing to retry: somebody else has just done so")
    session.refresh(row)
    return {row.queue} if ready else set()


class Held(NamedTuple):
    """A row that a worker holds, and since when."""

    worker_id: str
    kind: str
    id: int
    since: datetime


def list_workers(session: Session, *, limit: int, offset: int) -> Slice[Any]:
    """Return the worker processes, those heard of last first, and whether each is alive."""
    alive = WorkerCheckin.last_checkin > func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, ALIVE_SECONDS)
    statement = select(
        WorkerCheckin.id,
        WorkerCheckin.queues,
        WorkerCheckin.first_checkin,
        WorkerCheckin.last_checkin,
        WorkerCheckin.last_claim,
        alive.label("alive"),
    )
    ordered = statement.order_by(WorkerCheckin.last_checkin.desc(), WorkerCheckin.id)
    return page_of_columns(session, ordered, limit=limit, offset=offset)


def list_held(session: Session, scope: Scope, workers: Collection[str]) -> list[Held]:
    """Return the rows of the scope's that these workers hold, oldest claims first."""
    held = [
        _owned(
            kind, scope, kind.model.worker_id, literal(name), kind.model.id, kind.model.start_date.label("since")
        ).where(kind.model.status == RunStatus.RUNNING, kind.model.worker_id.in_(workers))
        for name, kind in KINDS.items()
    ]
    return [Held(*row) for row in session.execute(union_all(*held).order_by("since"))]
