"""How much of the whole one owner may take: requests in work here, rows of work waiting, bytes stored.

An owner is asked for once in a while, not at every request: see `Grants`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar, cast

from apiflask import APIFlask
from flask import Response, current_app, g, request

from gateway.http.auth import scope
from shared.db import Session, get_session
from shared.errors import TooMany
from shared.queries import quotas
from shared.settings import Settings

ADDS_WORK = "adds_work"
REQUESTS = "PERSONAE_OWNER_REQUESTS"
RETRY_AFTER_SECONDS = 1
GRANTED = 100  # of what is free, the part that is given out before the rows are asked again
ROWS_SECONDS, BYTES_SECONDS = 5.0, 60.0  # that a count holds: one request may add many rows

View = TypeVar("View", bound=Callable[..., Any])


class Grants:
    """What each owner may still take unasked: a hundredth of what was free, for a while.

    A count of a hundred thousand rows would cost more than the turn it is made for. Processes that do not know of each
    other may each give out as much.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left: dict[str, tuple[float, float]] = {}  # by owner: how much, until when
        self._lock = Lock()

    def take(self, owner_id: str, amount: int) -> bool:
        """Take an amount out of what was granted; False when the rows must be asked."""
        with self._lock:
            left, until = self._left.get(owner_id, (0, 0.0))
            taken = amount <= left and time.monotonic() < until
            if taken:
                self._left[owner_id] = left - amount, until
        return taken

    def renew(self, owner_id: str, free: float) -> None:
        """Grant a part of what is free now."""
        with self._lock:
            self._left[owner_id] = free // GRANTED, time.monotonic() + self._seconds


class InWork:
    """How many requests of each owner this process is at work on; a stream is one until it is closed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_owner: Counter[str] = Counter()
        self._lock = Lock()

    def begin(self, owner_id: str) -> Callable[[], None]:
        """Count a request; return how it ends, which counts once however often it is called; raises TooMany."""
        with self._lock:
            if self._limit and self._by_owner[owner_id] >= self._limit:
                told = f"{self._limit} requests are in work already, and {REQUESTS} allows no more: wait for one to end"
                raise TooMany(told, retry_after=RETRY_AFTER_SECONDS, limit=REQUESTS, value=self._limit)
            self._by_owner[owner_id] += 1
        once = iter([owner_id])
        return lambda: self._end(once)

    def of(self, owner_id: str) -> int:
        """Return how many requests of an owner are in work."""
        return self._by_owner[owner_id]

    def _end(self, once: Iterator[str]) -> None:
        with self._lock:
            for owner_id in once:
                self._by_owner[owner_id] -= 1
                if not self._by_owner[owner_id]:
                    del self._by_owner[owner_id]


class Quotas:
    """The limits of this application, and what it knows of who has taken what."""

    def __init__(self, settings: Settings) -> None:
        self.rows_waiting = settings.owner_rows_waiting
        self.bytes_stored = settings.owner_bytes_stored
        self.rows, self.bytes = Grants(ROWS_SECONDS), Grants(BYTES_SECONDS)
        self.in_work = InWork(settings.owner_requests)


def adds_work(view: View) -> View:
    """Declare that a route adds rows of work, or sets ended ones back: it is refused where its owner has too many."""
    view.__dict__[ADDS_WORK] = True
    return view


def install(app: APIFlask, settings: Settings) -> None:
    """Count from when the owner is known until the answer is made, or its stream is closed."""
    app.extensions["quotas"] = Quotas(settings)
    app.before_request(begin)
    app.after_request(hold_while_streaming)
    app.teardown_request(end)


def begin() -> None:
    """Count the request of an owner; raises TooMany."""
    if "identity" in g:
        g.end_of_work = _quotas().in_work.begin(scope().owner_id)


def hold_while_streaming(response: Response) -> Response:
    """Leave the end of a stream to whoever closes it: the server does, also when its client has left."""
    if response.is_streamed and "end_of_work" in g:
        response.call_on_close(g.pop("end_of_work"))
    return response


def end(_error: BaseException | None) -> None:
    """End the work of a request that leaves no stream."""
    if "end_of_work" in g:
        g.pop("end_of_work")()


def require_room(session: Session | None = None) -> None:
    """Pass when the route adds no work, or its owner may have more of it waiting; raises TooMany."""
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, ADDS_WORK, False):
        return
    ours, mine = _quotas(), scope()
    if not ours.rows.take(mine.owner_id, 1):
        with _open(session) as asked:
            ours.rows.renew(mine.owner_id, quotas.require_room(asked, mine, limit=ours.rows_waiting))


def require_space(session: Session, added: int) -> None:
    """Pass when the owner may store what was added in this transaction; raises TooMany."""
    ours, mine = _quotas(), scope()
    if not ours.bytes.take(mine.owner_id, added):
        ours.bytes.renew(mine.owner_id, quotas.require_space(session, mine, limit=ours.bytes_stored))


@contextmanager
def _open(session: Session | None) -> Iterator[Session]:
    if session is not None:
        yield session
        return
    with get_session() as own:
        yield own


def _quotas() -> Quotas:
    return cast("Quotas", current_app.extensions["quotas"])
