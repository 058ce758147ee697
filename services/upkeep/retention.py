"""What is kept for a time only: pruned in small batches at each sweep."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice

from sqlalchemy.orm import Session

from shared.db import get_session
from shared.providers import blobs
from shared.providers.blobs import Blobs
from shared.queries import documents, idempotency, on_demand, workers
from shared.settings import Settings

ROWS = 1000  # of a table, at each sweep
BLOBS = 100  # looked at in each round
EVERY_SECONDS = 300.0  # between two looks at the blobs: each walks all their names


def prunings(settings: Settings) -> Iterator[Callable[[Session], int]]:
    """Yield a deletion for each table that is kept for a time."""
    answers = timedelta(hours=settings.keep_idempotency_hours)
    checkins = timedelta(hours=settings.keep_worker_checkins_hours)
    yield partial(idempotency.prune, keep=answers, batch=ROWS)
    yield partial(workers.prune_checkins, keep=checkins, batch=ROWS)
    yield partial(on_demand.prune, keep=timedelta(hours=settings.keep_module_runs_hours), batch=ROWS)


class BlobRounds:
    """The removal of bytes and artifacts that no document leads to, going on where the last round stopped."""

    def __init__(self) -> None:
        self._next_walk = 0.0
        self._keys: Iterator[str] = iter(())

    def remove_some(self, store: Blobs, now: float, *, older_than: timedelta) -> int:
        """Look at the next old blobs, `now` in seconds of any clock; return how many were removed."""
        keys = list(islice(self._keys, BLOBS))
        if not keys and now >= self._next_walk:
            self._next_walk = now + EVERY_SECONDS
            self._keys = store.keys_older_than(older_than.total_seconds())
            keys = list(islice(self._keys, BLOBS))
        return sum(_removed(store, key) for key in keys)


def _removed(store: Blobs, key: str) -> bool:
    with get_session() as session:
        return documents.purge(session, key, partial(blobs.forget, store))
