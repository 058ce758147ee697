"""Claim → load → work → save and settle: the one way in which any work is done.

What is done for a kind of work is registered with `register_handler`; `answer` is what a bell on its queue sets going.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby, repeat
from typing import Any, Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services import leases
from services.flag import STOPPING
from services.leases import Held, Later, Stopped
from services.outcomes import Outcome, failure, first_line, red, success
from services.shares import SHARES, Visit
from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.logs import bound_to
from shared.models.base import Work
from shared.queries.work import endings, locks
from shared.queries.work import engine as rows
from shared.settings import get_settings
from shared.tasks import BELL, QUEUES, Queue

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Work)
Loaded = TypeVar("Loaded")
Result = TypeVar("Result")
SETTLE_EVERY = 0.25  # seconds: cheap rows of a batch settle together, costly ones as they end


class Failed(Exception):
    """A failure that its row already tells; red in Flower, one line in the log."""


class Lost(Exception):
    """The row belongs to another claim now, or is gone."""


@dataclass(frozen=True)
class Handler(Generic[Row, Loaded, Result]):
    """What is done with the rows of one table that wait on one queue."""

    model: type[Row]
    load: Callable[[Session, Row], Loaded]
    work: Callable[[Loaded], Result]
    save: Callable[[Session, Row, Result], None]
    announce: Callable[[Held, "Outcome"], None]
    max_runtime: float
    lock: Callable[[Session, list[Row]], None] = lambda session, rows: None


HANDLERS: dict[str, dict[type[Work], Handler[Any, Any, Any]]] = {queue.name: {} for queue in QUEUES}


def register_handler(
    queue: Queue,
    model: type[Row],
    *,
    load: Callable[[Session, Row], Loaded],
    work: Callable[[Loaded], Result],
    save: Callable[[Session, Row, Result], None],
    announce: Callable[[Held, Outcome], None] = lambda held, outcome: None,
    lock: Callable[[Session, list[Row]], None] = lambda session, rows: None,
    max_runtime: float = 600.0,
) -> Handler[Row, Loaded, Result]:
    """Say what is done with the table's rows on a queue; raises ValueError when that was said before.

    `load` reads, `work` is plain code with no session, `save` writes in the settling transaction; `announce` tells
    others after the commit and must not raise. A cancelled row is saved when its `work` returns what it has. `lock`
    locks, in one order, what `save` will write about several rows one after the other; the rows themselves are locked
    by then. Work that takes longer than `max_runtime` seconds is told to stop, and fails as what may pass; `work`
    raises Transient for a failure to try again, and anything else for one that is final.
    """
    handlers = HANDLERS[queue.name]
    if model in handlers:
        raise ValueError(f"{model.__name__} has a handler on {queue.name} already")
    handlers[model] = Handler(model, load, work, save, announce, max_runtime, lock)
    return handlers[model]


def answer(queue: Queue) -> None:
    """Answer a bell: keep claiming for a second; raise Failed when a row failed.

    Where the queue has its share of the worker's slots at work already, the bell is left to whoever leaves one.
    """
    visit: Visit | None = None
    try:
        with SHARES.taken(queue.name) as visit:
            if visit.has_slot:
                _drain(queue)
    finally:
        if visit is not None:
            BELL.ring_all(dict.fromkeys(visit.refused, "a slot is free"))


def _drain(queue: Queue) -> None:
    until = time.monotonic() + get_settings().drain_seconds
    first = True
    try:
        while not STOPPING.is_set() and _claim_and_perform(queue, rings=first) and time.monotonic() < until:
            first = False
    except SQLAlchemyError as error:  # the database is away: the sweep rings again when it is back
        log.warning("bell dropped", extra={"queue": queue.name, "reason": first_line(error)})


def _claim_and_perform(queue: Queue, *, rings: bool) -> bool:
    """Claim once and work on what was claimed; say whether there was work.

    Who `rings` wakes another before it works, while rows wait, and that one the next: one bell fills an idle pool.
    """
    with _claimed(queue) as held:
        if not held:
            return False
        if rings and held[0].claim.more:
            BELL.ring(queue.name, f"after {held[0].name}")
        failures = [line for outcomes in _perform(queue, held) for outcome in outcomes if (line := red(outcome))]
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
        held = _claim(queue, keeper.worker, suspects=alone) if keeper.may_claim() else []
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
    handlers = HANDLERS[queue.name]
    lease = get_settings().lease_seconds
    with get_session() as session:
        claims = rows.claim(
            session, list(handlers), queue.name, worker=worker, lease=lease, limit=queue.batch, suspects=suspects
        )
    jitter = random.random()
    return [Held(claim, queue.name, max_runtime=handlers[claim.model].max_runtime, jitter=jitter) for claim in claims]


def _perform(queue: Queue, held: list[Held]) -> Iterator[list[Outcome]]:
    """Work on the rows, where that is mostly waiting on all at once; yield the outcomes as they are settled."""
    loads = list(_load_together(held))
    together = len(loads) > 1 and queue.pool == "threads"
    return _settled(_side_by_side(loads) if together else _in_claim_and_perform(loads))


def _side_by_side(loads: "list[tuple[Held, Load]]") -> Iterator[list[Outcome]]:
    """Work on rows at once, and yield what ends together: a short one does not wait for a long one."""
    with ThreadPoolExecutor(len(loads)) as pool:
        left = {pool.submit(_attempt, item, load) for item, load in loads}
        while left:
            ended, left = wait(left, return_when=FIRST_COMPLETED)
            more, left = wait(left, timeout=SETTLE_EVERY)
            yield [outcome for future in ended | more if (outcome := future.result())]


def _in_claim_and_perform(loads: "list[tuple[Held, Load]]") -> Iterator[list[Outcome]]:
    done: list[Outcome] = []
    since = time.monotonic()
    for item, loaded in loads:
        if outcome := _attempt(item, loaded):
            done.append(outcome)
        if time.monotonic() - since > SETTLE_EVERY:
            yield done
            done, since = [], time.monotonic()
    yield done


Load = Callable[[], Any]  # returns what a handler's `load` returned, or raises what it raised


def _load_together(held: list[Held]) -> Iterable[tuple[Held, Load]]:
    """Load the rows of a batch in one transaction; where that fails, each when its turn comes."""
    if len(held) > 1:
        try:
            loaded = _patiently(held[0], lambda session: _load_all(session, held))
        except Exception as error:  # raised again, by the row that it belongs to
            log.info("batch loads apart", extra={"reason": type(error).__name__})
        else:
            return [(item, repeat(value).__next__) for item, value in zip(held, loaded, strict=True)]
    return [(item, partial(_load_alone, item)) for item in held]


def _load_alone(held: Held) -> Any:
    return _patiently(held, lambda session: _load_all(session, [held]))[0]


def _load_all(session: Session, held: list[Held]) -> list[Any]:
    # Locked first, as a settlement does: what `load` writes about the row would else wait for it in another order.
    ours = {row.id: row for row in locks.lock_rows(session, held[0].model, [item.id for item in held])}
    for item in held:
        if item.id not in ours or ours[item.id].fence != item.fence:
            raise Lost(item.key)
    return [_handler_of(item).load(session, ours[item.id]) for item in held]


def _attempt(held: Held, load: Load) -> Outcome | None:
    """Load and work on one row; None when it was lost meanwhile."""
    outcome = _try(held, load)
    if outcome is None:
        log.warning("late settlement refused", extra={"row": held.key})
    return outcome


def _try(held: Held, load: Load) -> Outcome | None:
    leases.working_on(held)
    held.begin()
    with bound_to(held.claim.status_meta, work=held.name):
        try:
            held.check()  # it waited for the others of its batch
            value = _handler_of(held).work(load())
            log.info("worked", extra={"fence": held.fence})
        except Lost:
            return None
        except Later:
            return Outcome(held, RunStatus.PENDING) if held.why is None else failure(held, Stopped(held.why))
        except Exception as error:  # the row tells it, and `answer` raises it as one line
            return failure(held, error)
        finally:
            held.ended()
            leases.working_on(None)
    return success(held, value)


def _settled(groups: Iterable[list[Outcome]]) -> Iterator[list[Outcome]]:
    """Settle one group of outcomes after another; what one of them met is raised when the others are written."""
    failed: Exception | None = None
    for outcomes in groups:
        try:
            settled = _settle(outcomes)
        except Exception as error:  # its row alone loses its lease
            failed = failed or error
        else:
            yield settled
    if failed is not None:
        raise failed


def _settle(outcomes: list[Outcome]) -> list[Outcome]:
    """Settle outcomes in one transaction; where that fails for another reason than the connection, one by one."""
    if not outcomes:
        return []
    try:
        _patiently(outcomes[0].held, lambda session: _write(session, outcomes))
    except Lost as error:
        if len(outcomes) > 1:  # the others are still ours
            return _settle_apart(outcomes, error)
        log.warning("late settlement refused", extra={"row": outcomes[0].held.key})
        return []
    except Exception as error:  # settled again, row by row or as a failure; with nothing left to leave out it is raised
        return _settle_apart(outcomes, error)
    for outcome in outcomes:
        _handler_of(outcome.held).announce(outcome.held, outcome)
    return outcomes


def _settle_apart(outcomes: list[Outcome], error: Exception) -> list[Outcome]:
    if len(outcomes) > 1:
        return [outcome for alone in _settled([outcome] for outcome in outcomes) for outcome in alone]
    if outcomes[0].value is None:  # there is nothing left to leave out of it
        raise error
    failed = failure(outcomes[0].held, error)
    return _settle([failed]) if failed else []


def _write(session: Session, outcomes: list[Outcome]) -> None:
    """Write statuses and effects of rows still held; raises Lost when a lone row is not.

    Effects, and what follows, in the order of the rows, and all that they share is locked before: two batches lock it
    in one order.
    """
    if len(outcomes) > 1:
        locks.lock_rows(session, outcomes[0].held.model, [outcome.held.id for outcome in outcomes])
    alike = groupby(sorted(outcomes, key=_sort_key), key=_sort_key)
    settled = [pair for _, group in alike for pair in _settle_alike(session, list(group))]
    settled.sort(key=lambda pair: pair[1].held.key)
    brought = [pair for pair in settled if pair[1].value is not None or pair[1].status is RunStatus.COMPLETED]
    if len(brought) > 1:
        _handler_of(brought[0][1].held).lock(session, [row for row, _ in brought])
    for row, outcome in brought:
        _handler_of(outcome.held).save(session, row, outcome.value)
    endings.follow(session, [row for row, _ in settled])


def _sort_key(outcome: Outcome) -> tuple[str, str, str, str, float]:
    told = outcome.message or "", outcome.error_type or ""
    return outcome.held.key[0], outcome.status, *told, outcome.wait


def _settle_alike(session: Session, outcomes: list[Outcome]) -> list[tuple[Work, Outcome]]:
    """Write the statuses of rows of one table that end in one way; return those still held."""
    held, status, _, message, error_type, wait = outcomes[0]
    by_id = {outcome.held.id: outcome for outcome in outcomes}
    keys = [(outcome.held.id, outcome.held.fence) for outcome in outcomes]
    settled = rows.settle(session, held.model, keys, status, message=message, error_type=error_type, wait=wait)
    if not settled and len(outcomes) == 1 and not _settled_before(session, outcomes[0]):
        raise Lost(held.key)
    return [(row, by_id[row.id]) for row in settled]


def _settled_before(session: Session, outcome: Outcome) -> bool:
    """Say whether the commit whose answer was lost had succeeded."""
    row = session.get(outcome.held.model, outcome.held.id)
    return row is not None and row.fence == outcome.held.fence and row.status == outcome.status


def _handler_of(held: Held) -> Handler[Any, Any, Any]:
    return HANDLERS[held.queue][held.model]


def _patiently(held: Held, act: Callable[[Session], Result]) -> Result:
    """Run `act` in a transaction, again while the connection is lost and the lease can still be ours."""

    def once() -> Result:
        with get_session() as session:
            return act(session)

    return leases.patiently(once, held)
