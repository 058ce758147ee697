"""What is kept for a time only: pruned in small batches at each sweep."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import chain, islice
from uuid import UUID

from sqlalchemy.orm import Session

from shared.db import get_session
from shared.providers.storage import blobs
from shared.providers.storage.blobs import Blobs
from shared.queries.accounts import audit, idempotency
from shared.queries.documents import documents
from shared.queries.kinds import KINDS
from shared.queries.knowledge import embeddings, passage_embeddings
from shared.queries.work import workers
from shared.settings import Settings

ROWS = 1000  # of a table, at each sweep
NAMES = 100  # of blobs and artifacts, looked at in each round
EVERY_SECONDS = 300.0  # at least, between the beginnings of two walks over all names


def prunings(settings: Settings) -> Iterator[Callable[[Session], int]]:
    """Yield a deletion for each table that is kept for a time."""
    answers = timedelta(hours=settings.keep_idempotency_hours)
    checkins = timedelta(hours=settings.keep_worker_checkins_hours)
    yield partial(idempotency.prune, keep=answers, batch=ROWS)
    yield partial(workers.prune, keep=checkins, batch=ROWS)
    yield partial(audit.prune, keep=timedelta(days=settings.keep_audit_days), batch=ROWS)
    for kind in KINDS.values():
        if kind.prune and kind.keep_hours:
            yield partial(kind.prune, keep=timedelta(hours=kind.keep_hours(settings)), batch=ROWS)
    yield partial(VECTORS.remove_some, keep=timedelta(hours=settings.keep_unreferenced_vectors_hours))


class VectorRounds:
    """The removal of vectors whose texts no passage holds, going on where the last round stopped."""

    def __init__(self) -> None:
        self._after = ""

    def remove_some(self, session: Session, *, keep: timedelta) -> int:
        """Look at the next vectors; return how many were removed."""
        gone, self._after = embeddings.prune(session, keep=keep, batch=ROWS, after=self._after)
        return gone


VECTORS = VectorRounds()


class PassageRounds:
    """The search for passages that lack a vector, whoever stored them, going on where the last round stopped."""

    def __init__(self) -> None:
        self._after = UUID(int=0)

    def embed_some(self, session: Session, *, model: str) -> int:
        """Look at the next passages; return how many rows of work were added."""
        added, self._after = passage_embeddings.add_forgotten(session, model=model, batch=ROWS, after=self._after)
        return added


PASSAGES = PassageRounds()


class BlobRounds:
    """The removal of bytes and artifacts that no document leads to, and of what was half written, round by round."""

    def __init__(self) -> None:
        self._next_walk = 0.0
        self._names: Iterator[str | None] = iter(())

    def remove_some(self, store: Blobs, now: float, *, older_than: timedelta) -> int:
        """Look at the next names, `now` in seconds of any clock; return how many were removed."""
        seconds = older_than.total_seconds()
        names = list(islice(self._names, NAMES))
        if not names and now >= self._next_walk:
            self._next_walk = now + EVERY_SECONDS
            self._names = chain(store.keys_older_than(seconds), store.remove_leftovers(seconds))
            names = list(islice(self._names, NAMES))
        return sum(_removed(store, key, seconds) for key in names if key is not None)


def _removed(store: Blobs, key: str, seconds: float) -> bool:
    """Remove what nobody knows, unless it was sent again since it was seen."""
    with get_session() as session:
        return documents.purge(session, key, partial(blobs.forget, store, older_than=seconds))
