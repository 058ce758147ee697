"""Claim → load → work → save and settle: the one way in which any work is done.

A kind of work is declared with `performs`; `answer` is what a bell on its queue sets going.
"""

import logging
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from services import leases
from services.leases import Held, Stopped
from shared.db import get_session
from shared.domain.lifecycle import RunStatus, after_failure
from shared.errors import PersonaeError, Transient
from shared.logs import bound_to
from shared.models.base import Work
from shared.queries import work as rows
from shared.settings import get_settings
from shared.tasks import BELL, QUEUES, Queue, Task

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Work)
Loaded = TypeVar("Loaded")
Result = TypeVar("Result")
SETTLE_EVERY = 0.25  # seconds: cheap rows of a batch settle together, costly ones as they end
STOPPING = multiprocessing.Event()  # seen by prefork children too


class Failed(Exception):
    """A failure that its row already tells; red in Flower, one line in the log."""


class Lost(Exception):
    """The row belongs to another claim now, or is gone."""


@dataclass(frozen=True)
class Kind(Generic[Row, Loaded, Result]):
    """A declared kind of work."""

    task: Task
    model: type[Row]
    load: Callable[[Session, Row], Loaded]
    work: Callable[[Loaded], Result]
    save: Callable[[Session, Row, Result], None]
    announce: Callable[[Held, "Outcome"], None]
    max_runtime: float


class Outcome(NamedTuple):
    """What became of one held row; `value` is what `work` returned, if it did."""

    held: Held
    status: RunStatus
    value: Any = None
    message: str | None = None


KINDS: dict[str, dict[type[Work], Kind[Any, Any, Any]]] = {queue.name: {} for queue in QUEUES}


def performs(
    task: Task,
    model: type[Row],
    *,
    load: Callable[[Session, Row], Loaded],
    work: Callable[[Loaded], Result],
    save: Callable[[Session, Row, Result], None],
    announce: Callable[[Held, Outcome], None] = lambda held, outcome: None,
    max_runtime: float = 600.0,
) -> Kind[Row, Loaded, Result]:
    """Declare a kind of work; raises ValueError when the table has a kind on that queue already.

    `load` reads, `work` is plain code with no session, `save` writes in the settling transaction; `announce` tells
    others after the commit and must not raise. A cancelled row is saved when its `work` returns what it has.
    """
    kinds = KINDS[task.queue.name]
    if model in kinds:
        raise ValueError(f"{model.__name__} has a kind on {task.queue.name} already")
    kinds[model] = Kind(task, model, load, work, save, announce, max_runtime)
    return kinds[model]


def answer(queue: Queue) -> None:
    """Answer a bell: keep claiming for a second; raise Failed when a row failed."""
    until = time.monotonic() + get_settings().drain_seconds
    try:
        while not STOPPING.is_set() and _turn(queue) and time.monotonic() < until:
            pass
    except DBAPIError as error:  # the database is away: the sweep rings again when it is back
        log.warning("bell dropped", extra={"queue": queue.name, "reason": _first_line(error)})


def _turn(queue: Queue) -> bool:
    """Claim once and work on what was claimed; say whether there was work."""
    with _claimed(queue) as held:
        if not held:
            return False
        BELL.ring(queue.name, f"after {held[0].name}")  # one bell fills an idle pool
        failures = [line for outcomes in _perform(held) for outcome in outcomes if (line := _red(outcome))]
    if failures:
        raise Failed("; ".join(failures))
    return True


@contextmanager
def _claimed(queue: Queue) -> Iterator[list[Held]]:
    """Hold the best rows of the queue; at most one row that has lost a worker before runs in a process."""
    keeper = leases.keeper()
    alone = keeper.suspect.acquire(blocking=False)
    held: list[Held] = []
    try:
        held = _claim(queue, keeper.worker, suspects=alone)
        if alone and not any(item.claim.crashes for item in held):
            keeper.suspect.release()
            alone = False
        keeper.take(held)
        yield held
    finally:
        keeper.release(held)
        if alone:
            keeper.suspect.release()


def _claim(queue: Queue, worker: str, *, suspects: bool) -> list[Held]:
    kinds = KINDS[queue.name]
    lease = get_settings().lease_seconds
    with get_session() as session:
        claims = rows.claim(
            session, list(kinds), queue.name, worker=worker, lease=lease, limit=queue.batch, suspects=suspects
        )
    return [Held(claim, queue.name, max_runtime=kinds[claim.model].max_runtime) for claim in claims]


def _perform(held: list[Held]) -> Iterator[list[Outcome]]:
    """Work on the rows in turn; yield the outcomes as they are settled."""
    done: list[Outcome] = []
    since = time.monotonic()
    for item in held:
        outcome = _attempt(item)
        if outcome is None:
            log.warning("late settlement refused", extra={"row": item.key})
        else:
            done.append(outcome)
        if time.monotonic() - since > SETTLE_EVERY:
            yield _settle(done)
            done, since = [], time.monotonic()
    yield _settle(done)


def _attempt(held: Held) -> Outcome | None:
    """Load and work on one row; None when it was lost meanwhile."""
    leases.working_on(held)
    held.begin()
    with bound_to(held.claim.status_meta, work=held.name):
        try:
            kind = _kind_of(held)
            loaded = _patiently(held, lambda session: _load(session, held, kind))
            value = kind.work(loaded)
        except Lost:
            return None
        except Exception as error:  # the row tells it, and `answer` raises it as one line
            return _failure(held, error)
        finally:
            leases.working_on(None)
    return _success(held, value)


def _load(session: Session, held: Held, kind: Kind[Any, Any, Any]) -> Any:
    row = session.get(held.model, held.id)
    if row is None or row.fence != held.fence:
        raise Lost(held.key)
    return kind.load(session, row)


def _success(held: Held, value: Any) -> Outcome | None:
    match held.why:
        case "lost":
            return None
        case "timeout":
            return _failure(held, Stopped("timeout"))
        case "cancel":
            return Outcome(held, RunStatus.CANCELLED, value, "cancelled")
        case _:
            return Outcome(held, RunStatus.COMPLETED, value)


def _failure(held: Held, error: Exception) -> Outcome | None:
    if held.why == "lost":
        return None
    if held.why == "cancel":
        return Outcome(held, RunStatus.CANCELLED, message="cancelled")
    if held.why == "timeout":
        error = Transient(f"took longer than {held.max_runtime:g} s")
    claim = held.claim
    transient = isinstance(error, Transient) or _passing(error)
    status = after_failure(claim.retry + 1, claim.retries, transient=transient)
    return Outcome(held, status, message=_told(error))


def _told(error: Exception) -> str:
    """Say an error in words for the row; one that we did not expect is logged whole as well."""
    if isinstance(error, PersonaeError):
        return str(error)[:2000]
    if isinstance(error, DBAPIError):
        return f"database: {_first_line(error)}"
    log.error("work failed unexpectedly", exc_info=error)
    return f"{type(error).__name__}: {error}"[:2000]


def _settle(outcomes: list[Outcome]) -> list[Outcome]:
    """Settle outcomes in one transaction; where that fails for another reason than the connection, one by one."""
    if not outcomes:
        return []
    try:
        ready = _patiently(outcomes[0].held, lambda session: _write(session, outcomes))
    except Lost:
        log.warning("late settlement refused", extra={"row": outcomes[0].held.key})
        return []
    except Exception as error:
        return _settle_apart(outcomes, error)
    for outcome in outcomes:
        _kind_of(outcome.held).announce(outcome.held, outcome)
    BELL.ring_all(ready)
    return outcomes


def _settle_apart(outcomes: list[Outcome], error: Exception) -> list[Outcome]:
    if len(outcomes) > 1:
        return [settled for outcome in outcomes for settled in _settle([outcome])]
    if outcomes[0].status in (RunStatus.ERROR, RunStatus.FAILED):
        raise error
    failure = _failure(outcomes[0].held, error)
    return _settle([failure]) if failure else []


def _write(session: Session, outcomes: list[Outcome]) -> set[str]:
    """Write effects and statuses of rows still held; raises Lost when a lone row is not."""
    ready: set[str] = set()
    by_key = {outcome.held.key: outcome for outcome in outcomes}
    for model, keys in rows.batches((o.held.model, o.held.id, o.held.fence) for o in outcomes):
        locked = rows.lock_held(session, model, keys)
        if not locked and len(outcomes) == 1 and not _settled_before(session, outcomes[0]):
            raise Lost(outcomes[0].held.key)
        mine = [(row, by_key[(model.__tablename__, row.id, row.fence)]) for row in locked.values()]
        for row, outcome in mine:
            if outcome.value is not None or outcome.status is RunStatus.COMPLETED:
                _kind_of(outcome.held).save(session, row, outcome.value)
        for status, message in {(outcome.status, outcome.message) for _, outcome in mine}:
            same = [row for row, outcome in mine if (outcome.status, outcome.message) == (status, message)]
            ready |= rows.settle(session, same, status, message=message)
    return ready


def _settled_before(session: Session, outcome: Outcome) -> bool:
    """Say whether the commit whose answer was lost had succeeded."""
    row = session.get(outcome.held.model, outcome.held.id)
    return row is not None and row.fence == outcome.held.fence and row.status == outcome.status


def _kind_of(held: Held) -> Kind[Any, Any, Any]:
    return KINDS[held.queue][held.model]


def _patiently(held: Held, act: Callable[[Session], Result]) -> Result:
    """Run `act` in a transaction, again while the connection is lost and the lease can still be ours."""
    while True:
        try:
            with get_session() as session:
                return act(session)
        except DBAPIError as error:
            if not _passing(error) or held.overdue(get_settings().lease_seconds) or held.why == "lost":
                raise
            time.sleep(0.2 + random.random())


def _passing(error: Exception) -> bool:
    """Say whether the database may answer differently soon: a lost connection, a deadlock, a lock timeout."""
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _red(outcome: Outcome) -> str | None:
    """Return the line of a failure, with its row; None for anything else."""
    if outcome.status not in (RunStatus.ERROR, RunStatus.FAILED):
        return None
    return f"{outcome.held.name}: {outcome.status}: {str(outcome.message)[:200]}"


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]
