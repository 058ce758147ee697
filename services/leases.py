"""The rows that a process holds: their leases renewed, their cancels heard, by threads of its own."""

import contextvars
import json
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, TypeVar
from uuid import uuid4

import redis
from sqlalchemy.exc import SQLAlchemyError

from services import stuck
from shared.background import FAILURE_PAUSE, Loop, attempt
from shared.db import get_reserved_session, will_pass
from shared.models.base import Work
from shared.providers.network.interruption import OnOpen
from shared.queries.work import engine, workers
from shared.settings import get_settings

log = logging.getLogger(__name__)

Result = TypeVar("Result")
CANCEL_CHANNEL = "cancel"
Reason = Literal["cancel", "lost", "timeout"]
Key = tuple[str, int, int]


class Stopped(Exception):
    """The work was told to stop: it was cancelled, lost, or ran out of time."""


class Later(Exception):
    """The work has had its turn: others wait, and it goes on after them."""


class Held:
    """A row that this process works on, under one claim."""

    def __init__(self, claim: engine.Claim, queue: str, *, max_runtime: float, jitter: float = 0.5) -> None:
        self.claim = claim
        self.queue = queue
        self.model: type[Work] = claim.model
        self.id = claim.id
        self.fence = claim.fence
        # With the fence: a claim whose lease ran out may still be at work here when this process claims the row again.
        self.key: Key = (claim.model.__tablename__, claim.id, claim.fence)
        self.name = f"{claim.model.__tablename__} {claim.id}"
        self.max_runtime = max_runtime  # seconds
        self.jitter = jitter  # one for all rows of a batch: what fails alike is settled together
        self.slot = threading.get_ident()  # the thread that claimed it, which its work keeps from other rows
        self.until: float | None = None  # by time.monotonic(); None while the clock of `max_runtime` stands
        self.at_work = False
        self.why: Reason | None = None
        self.left: Any = None  # what `work` leaves for `announce`, whatever became of it
        self._closing: list[Callable[[], Any]] = []
        self._lock = threading.RLock()
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Start the clock of `max_runtime`."""
        self.until = time.monotonic() + self.max_runtime
        self.at_work = True

    def overdue(self, seconds: float = 0.0) -> bool:
        """Say whether the work has run longer than `max_runtime`, by so many `seconds` more."""
        until = self.until  # read once: another thread stops the clock
        return until is not None and time.monotonic() > until + seconds

    def is_stuck(self, seconds: float) -> bool:
        """Say whether the work is going on although it was to stop so many seconds ago."""
        return self.at_work and self.overdue(seconds)

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Stop the clock of `max_runtime` while the work waits for its turn."""
        left = None if self.until is None else self.until - time.monotonic()
        self.until = None
        try:
            yield
        finally:
            self.until = None if left is None else time.monotonic() + left

    def wait(self, seconds: float) -> None:
        """Wait off the clock; raises Stopped as soon as the work is told to stop."""
        with self.unhurried():
            self._stopped.wait(seconds)
        self.check()

    def stop(self, why: Reason) -> None:
        """Tell the work to stop, once, and close what it waits on."""
        with self._lock:
            if self.why is not None:
                return
            self.why = why
            self._stopped.set()
            for close in self._closing:  # not after the lock: what it waited on may be another's by then
                self._close(close)
            self._closing = []

    def closes(self, close: Callable[[], Any]) -> None:
        """Have `close` called when the work is told to stop; at once when it was already."""
        with self._lock:
            if self.why is None:
                self._closing.append(close)
                return
        self._close(close)

    def _close(self, close: Callable[[], Any]) -> None:
        attempt(f"closing what {self.name} waits on", close)

    def ended(self) -> None:
        """Let go of what the work waited on: the rest of its batch may use the same, and its row is no longer held."""
        self.at_work = False
        with self._lock:
            self._closing = []

    def check(self) -> None:
        """Raise Stopped when the work was told to stop."""
        if self.why is not None:
            raise Stopped(self.why)


_current: contextvars.ContextVar[Held | None] = contextvars.ContextVar("held", default=None)


def current() -> Held | None:
    """Return the row that this thread works on; None outside any work."""
    return _current.get()


def listener() -> OnOpen:
    """Return what hears how a request or a process of this thread's work is ended, should the work be stopped."""
    held = current()
    assert held is not None
    return held.closes


def working_on(held: Held | None) -> None:
    """Name the row that this thread works on."""
    _current.set(held)


def wait(seconds: float) -> None:
    """Wait off the clock of this thread's work, if it has any; raises Stopped."""
    held = current()
    if held is None:
        time.sleep(seconds)
    else:
        held.wait(seconds)


@contextmanager
def unhurried() -> Iterator[Callable[[], None]]:
    """Stop the clock of this thread's work; gives what raises Stopped once it was told to stop."""
    held = current()
    with held.unhurried() if held else nullcontext():
        yield held.check if held else lambda: None


def patiently(act: Callable[[], Result], held: Held) -> Result:
    """Do what needs the database, again while its connection is lost and the lease can still be ours."""
    while True:
        try:
            return act()
        except SQLAlchemyError as error:
            if not will_pass(error) or held.overdue(get_settings().lease_seconds) or held.why == "lost":
                raise
            log.info("the database is asked again", extra={"work": held.name, "reason": type(error).__name__})
            time.sleep(0.2 + random.random())


class Identity:
    """Who this worker is: its main process names it, so that a graceful stop can hand back all its rows."""

    def __init__(self) -> None:
        self.main = f"{socket.gethostname()}:{os.getpid()}:"
        self.queues: list[str] = []
        self.slots = 1
        self.patience: int | None = None  # leases without a sign of life, after which the process ends itself
        self.is_replaced = False  # by its pool, when it ends

    def assume(self, node: str, queues: list[str]) -> None:
        """Take the Celery node's name, in the main process and before it forks."""
        self.main = f"{node}:{os.getpid()}:"
        self.queues = sorted(queues)


IDENTITY = Identity()


class Keeper:
    """Renews the leases of one process and hears its cancels."""

    def __init__(self) -> None:
        self.worker = f"{IDENTITY.main}{os.getpid()}:{uuid4().hex[:6]}"
        self.suspect = threading.Lock()
        self._held: dict[Key, Held] = {}
        self._lock = threading.Lock()
        self._claimed = True
        self._renewed = time.monotonic()
        self._hears = True
        self._loops = (
            Loop("renewing", self._renewing, self._pause),
            Loop("listening", self._listening, lambda: 1.0),
            Loop("living", self._living, lambda: get_settings().renew_seconds),
        )
        self._look_after()

    def _look_after(self) -> None:
        """Start what has ended: each thread does this for the other, and every claim for both."""
        for loop in self._loops:
            loop.ensure()

    def close(self) -> None:
        """Let the threads end; what is held is held no longer."""
        for loop in self._loops:
            loop.stop()

    def took_work(self) -> None:
        """Say at the next check-in that this process does not only live."""
        self._claimed = True

    def may_claim(self) -> bool:
        """Say whether a lease that is taken now would be renewed: not when none was for half of its time."""
        self._look_after()
        silent = time.monotonic() - self._renewed
        if silent < get_settings().lease_seconds / 2:
            return True
        log.warning("nothing is claimed: leases are not renewed", extra={"seconds": round(silent, 1)})
        return False

    def take(self, held: list[Held]) -> None:
        """Keep these rows' leases until they are released."""
        self.took_work()
        with self._lock:
            self._held.update({item.key: item for item in held})

    def release(self, held: list[Held]) -> None:
        """Stop renewing these rows."""
        with self._lock:
            for item in held:
                self._held.pop(item.key, None)

    def hear(self, key: Key) -> None:
        """Stop the work on a row whose cancel was announced."""
        if held := self._held.get(key):
            held.stop("cancel")

    def _pause(self) -> float:
        """Return the seconds until the next renewal: soon, where the last one failed."""
        seconds = get_settings().renew_seconds
        return seconds if time.monotonic() - self._renewed < seconds else min(seconds, FAILURE_PAUSE)

    def _mine(self) -> list[Held]:
        with self._lock:
            return list(self._held.values())

    def _hanging(self) -> list[Held]:
        return [held for held in self._mine() if held.is_stuck(get_settings().lease_seconds)]

    def _living(self) -> None:
        """Put off the end of this process, unless its work does not come back; this waits for no server."""
        if IDENTITY.patience:
            stuck.end_unless_called_within(IDENTITY.patience * get_settings().lease_seconds)
        if IDENTITY.is_replaced and (hanging := self._hanging()):
            stuck.end_process(held.name for held in hanging)

    def _renewing(self) -> None:
        self._look_after()
        try:
            self.renew()
        except SQLAlchemyError as error:
            log.warning("renewal failed", extra={"reason": str(getattr(error, "orig", error)).partition("\n")[0]})

    def renew(self) -> None:
        """Prolong every lease in one transaction, check in, and pass on what was lost or cancelled."""
        begun = time.monotonic()
        lease = get_settings().lease_seconds
        mine = self._mine()
        for held in mine:
            if held.overdue():
                held.stop("timeout")
        # Work that ignores its timeout is no longer renewed: it loses its lease instead of hanging for ever.
        renewed = [held.key for held in mine if not held.overdue(lease)]
        by_model = {held.key[0]: held.model for held in mine}
        claimed, self._claimed = self._claimed, False
        with get_reserved_session() as session:
            workers.check_in(
                session,
                self.worker,
                queues=json.dumps(IDENTITY.queues),
                claimed=claimed,
                slots=IDENTITY.slots,
                stuck=len({held.slot for held in self._hanging()}),
            )
            for table, model in by_model.items():
                keys = [(id, fence) for name, id, fence in renewed if name == table]
                self._tell(table, engine.renew(session, model, keys, lease=lease))
        self._renewed = begun

    def _tell(self, table: str, news: list[engine.News]) -> None:
        for item in news:
            if held := self._held.get((table, item.id, item.fence)):
                held.stop("lost" if item.lost else "cancel")

    def _listening(self) -> None:
        try:
            self._listen()
        except (OSError, redis.RedisError) as error:
            if self._hears:  # said once: an outage may last
                log.warning("cancels are not heard", extra={"reason": type(error).__name__})
            self._hears = False

    def _listen(self) -> None:
        url = get_settings().require_redis_url()
        client = redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=3, health_check_interval=10)
        with client, client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(CANCEL_CHANNEL)
            self._hears = True
            while True:
                self._look_after()
                message = pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                if message and (key := _key_in(message["data"])):
                    self.hear(key)


def _key_in(announced: bytes) -> Key | None:
    """Read the key of a row whose cancel was announced; None, with a warning, for what anybody else sent there."""
    try:
        table, id, fence = announced.decode().split(":")
        return table, int(id), int(fence)
    except ValueError:
        log.warning("a cancel that names no row", extra={"announced": repr(announced)[:100]})
        return None


_keepers: dict[int, Keeper] = {}
_keepers_lock = threading.Lock()


def keeper() -> Keeper:
    """Return this process's keeper, started at its first use: threads do not survive a fork."""
    with _keepers_lock:
        return _keepers.get(os.getpid()) or _keepers.setdefault(os.getpid(), Keeper())


def _new_lock() -> None:
    global _keepers_lock
    _keepers_lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)
