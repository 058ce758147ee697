"""Every kind of work, declared in one place: its table, who does it, whose it is, what follows, how long it is kept."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

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
from shared.queries import on_demand
from shared.queries.dialogue import conversations, memory, turns
from shared.queries.intake import fetches
from shared.queries.knowledge import passage_embeddings
from shared.queries.rows import Slice, found, page_of_columns
from shared.queries.scope import Scope
from shared.queries.work import endings, engine, locks
from shared.queries.work.endings import Endings
from shared.queries.workflows import advance, control
from shared.settings import Settings

ALIVE_SECONDS = 20
Running = list[tuple[int, int]]  # (id, fence) of rows at work


class Prune(Protocol):
    """Deletes up to `batch` rows that ended before `keep`, and says how many went."""

    def __call__(self, session: Session, *, keep: timedelta, batch: int) -> int: ...


class Owner(NamedTuple):
    """Whose a row is: the column that says it, and the join that leads there."""

    id: Any
    joined: Callable[[Select[Any]], Select[Any]] = lambda statement: statement


def _cancel(session: Session, row: Any) -> Running:
    return engine.cancel(session, type(row), [row.id])


def _locked(session: Session, row: Any) -> Any:
    return found(next(iter(locks.lock_rows(session, type(row), [row.id])), None), "work", row.id)


def _again(session: Session, row: Any, *, ready: bool = True) -> None:
    """Put a row that failed or was cancelled back to its start."""
    row = _locked(session, row)
    if row.status not in RETRIABLE:
        raise Conflict(f"nothing to retry: it is {row.status.value}")
    if not engine.retry(session, type(row), [row.id], ready=ready):
        raise Conflict("nothing to retry: somebody else has just done so")
    session.refresh(row)


NOTHING_FOLLOWS = Endings()


@dataclass(frozen=True)
class Kind:
    """A kind of work: what the gateway, the workers and the sweep know about a table of work."""

    path: str  # its name in addresses: /work/{path}/{id}
    what: str  # a row of it, in words
    model: type[Work]
    owner: Owner
    handlers: tuple[str, ...] = ()  # modules that call `services.work.register_handler`
    endings: Endings = NOTHING_FOLLOWS  # what follows when rows end or are set back
    cancel: Callable[[Session, Any], Running] = _cancel  # raises nothing; returns what workers are to be told
    retry: Callable[[Session, Any], None] = _again
    prune: Prune | None = None
    keep_hours: Callable[[Settings], float] | None = None  # how long ended rows are kept
    version: int = 1  # of the code that new rows need; workers of an older one leave them alone


def _with_conversation(model: Any) -> Owner:
    return Owner(Conversation.owner_id, lambda s: s.join(Conversation, Conversation.id == model.conversation_id))


def _with_group(statement: Select[Any]) -> Select[Any]:
    return statement.join(WorkflowRun, WorkflowRun.id == RunStep.workflow_run_id).join(
        RunGroup, RunGroup.id == WorkflowRun.run_group_id
    )


def _cancel_rest_of_run(session: Session, step: RunStep) -> Running:
    return control.cancel(session, [step.workflow_run_id])


def _run_again(session: Session, step: RunStep) -> None:
    control.retry(session, [step.workflow_run_id])


def _turn_again(session: Session, turn: Turn) -> None:
    turn = _locked(session, turn)  # before its conversation
    _again(session, turn, ready=not turns.others_alive(session, turn))


DECLARED = (
    Kind(
        "turns",
        "a reply to a message",
        Turn,
        _with_conversation(Turn),
        handlers=("services.dialogue.tasks",),
        endings=Endings(turns.ready_modules_or_next, lock=conversations.lock_of),
        retry=_turn_again,
    ),
    Kind(
        "steps",
        "a step of a document's run",
        RunStep,
        Owner(RunGroup.owner_id, _with_group),
        handlers=("services.ingestion.tasks", "services.embedding.tasks"),
        endings=Endings(advance.follow_step, advance.hold_paused, advance.lock_ended),
        cancel=_cancel_rest_of_run,
        retry=_run_again,
    ),
    Kind(
        "fetches",
        "a document of the web on its way",
        Fetch,
        Owner(Fetch.owner_id),
        handlers=("services.ingestion.fetching",),
        prune=fetches.prune,
        keep_hours=lambda settings: settings.keep_fetches_hours,
    ),
    Kind(
        "module_executions",
        "a module that runs after a reply or by itself",
        ModuleExecution,
        Owner(ModuleExecution.owner_id),
        handlers=("services.modules.tasks",),
        endings=Endings(turns.ready_stage_or_next, lock=conversations.lock_of),
        prune=on_demand.prune,
        keep_hours=lambda settings: settings.keep_module_runs_hours,
    ),
    Kind(
        "memory_windows",
        "older messages that become a memory",
        MemoryWindow,
        _with_conversation(MemoryWindow),
        handlers=("services.memory.tasks",),
        endings=Endings(memory.ready_next, lock=conversations.lock_of),
    ),
    Kind(
        "passage_embeddings",
        "passages that get their vectors",
        PassageEmbedding,
        Owner(PassageEmbedding.owner_id),
        handlers=("services.embedding.tasks",),
        prune=passage_embeddings.prune,
        keep_hours=lambda settings: settings.keep_passage_embeddings_hours,
    ),
    Kind(
        "webhook_deliveries",
        "an event on its way to a webhook",
        WebhookDelivery,
        Owner(Webhook.owner_id, lambda s: s.join(Webhook, Webhook.id == WebhookDelivery.webhook_id)),
    ),
)
KINDS: dict[str, Kind] = {}


def declare(kind: Kind) -> None:
    """Make a kind of work known; raises ValueError for a table or a path that is known already."""
    if kind.path in KINDS:
        raise ValueError(f"there is a kind of work at {kind.path} already")
    endings.declare(kind.model, kind.endings)
    kind.model.version = kind.version
    KINDS[kind.path] = kind


for _kind in DECLARED:
    declare(_kind)


def get(session: Session, scope: Scope, kind: str, row_id: int) -> Work:
    """Return a row of work of the scope's; raises NotFound, for a kind that does not exist too."""
    model = _of(kind).model
    row: Work | None = session.scalar(_owned(_of(kind), scope, model).where(model.id == row_id))
    return found(row, "work", f"{kind}/{row_id}")


def _of(path: str) -> Kind:
    if path not in KINDS:
        raise NotFound(f"no kind of work is called {path}: there are {', '.join(KINDS)}")
    return KINDS[path]


def _owned(kind: Kind, scope: Scope, *columns: Any) -> Select[Any]:
    return kind.owner.joined(select(*columns).select_from(kind.model)).where(kind.owner.id == scope.owner_id)


class HeldWork(NamedTuple):
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


def list_held(session: Session, scope: Scope, workers: Collection[str]) -> list[HeldWork]:
    """Return the rows of the scope's that these workers hold, oldest claims first."""
    held = [
        _owned(
            kind, scope, kind.model.worker_id, literal(name), kind.model.id, kind.model.start_date.label("since")
        ).where(kind.model.status == RunStatus.RUNNING, kind.model.worker_id.in_(workers))
        for name, kind in KINDS.items()
    ]
    return [HeldWork(*row) for row in session.execute(union_all(*held).order_by("since"))]
