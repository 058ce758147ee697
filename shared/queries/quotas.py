"""What an owner has waiting and what they store, against the limits that an operator sets; 0 is no limit."""

import math
from typing import Any

from sqlalchemy import Select, bindparam, func, literal, select, union, union_all
from sqlalchemy.orm import Session

from shared.domain.lifecycle import UNFINISHED, RunStatus
from shared.errors import TooMany
from shared.models import Document, DocumentURI, DocumentURIHistory, RunGroup, Turn, WorkflowRun
from shared.queries.kinds import KINDS, Kind
from shared.queries.scope import Scope

NO_LIMIT = math.inf
ROWS_WAITING = "PERSONAE_OWNER_ROWS_WAITING"
BYTES_STORED = "PERSONAE_OWNER_BYTES_STORED"
OWNERS = 1  # what tells a lock on an owner from one on a document
RETRY_AFTER_SECONDS = 30  # work takes its time


def require_room(session: Session, scope: Scope, *, limit: int) -> float:
    """Return how many more rows of work the owner may have waiting; raises TooMany for none.

    Counts what has not ended, whoever added it. The cost is bounded by the limit, not by the tables.
    """
    if not limit:
        return NO_LIMIT
    waiting = session.scalar(WAITING, {"owner_id": scope.owner_id, "limit": limit}) or 0
    if waiting >= limit:
        told = (
            f"{limit} rows of work wait or run already, and {ROWS_WAITING} allows no more: wait until some have ended"
        )
        raise TooMany(told, retry_after=RETRY_AFTER_SECONDS, limit=ROWS_WAITING, value=limit)
    return limit - waiting


def require_space(session: Session, scope: Scope, *, limit: int, more: int = 0) -> float:
    """Return how many bytes the owner may store beside `more`; raises TooMany where these are too many already.

    Asked in the transaction that added a document, it counts once what the owner had before; as the last thing, for
    others who store for this owner wait until its commit: many at once would each find the same space free.
    """
    if not limit:
        return NO_LIMIT
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(scope.owner_id, OWNERS))))
    stored = int(session.scalar(STORED, {"owner_id": scope.owner_id}) or 0) + more
    if stored > limit:
        told = f"this would make {stored} bytes of documents, and {BYTES_STORED} allows {limit}: delete some first"
        raise TooMany(told, limit=BYTES_STORED, value=limit)
    return limit - stored


def _waiting(kind: Kind) -> list[Select[Any]]:
    """Select an owner's rows that have not ended, each part by an index of its own: no index holds all of them."""
    model = kind.model
    is_pending, is_ready = model.status == RunStatus.PENDING, model.ready_at.is_not(None)
    parts = [model.status == RunStatus.RUNNING, model.status == RunStatus.ERROR, is_pending & is_ready]
    if model is Turn:  # what is blocked elsewhere follows from a row that is counted
        parts.append(is_pending & ~is_ready)
    return [_mine(kind).where(part) for part in parts]


def _steps() -> Select[Any]:
    """Select the steps that have not ended by way of the runs that have not, of which an owner has few."""
    kind = KINDS["steps"]
    return _mine(kind).where(*(each.status.in_(UNFINISHED) for each in (kind.model, WorkflowRun, RunGroup)))


def _mine(kind: Kind) -> Select[Any]:
    return kind.owner.joined(select(literal(1)).select_from(kind.model)).where(kind.owner.id == bindparam("owner_id"))


# Built once: one is asked on the way of a turn.
_PARTS = [part for name, kind in KINDS.items() if name != "steps" for part in _waiting(kind)]
WAITING = select(func.count()).select_from(
    union_all(_steps(), *_PARTS).limit(bindparam("limit")).subquery(),
)
_FOUND = select(DocumentURI.doc_hash).where(DocumentURI.owner_id == bindparam("owner_id"))
_EARLIER = (
    select(DocumentURIHistory.hash)
    .join(DocumentURI, DocumentURI.id == DocumentURIHistory.doc_uri_id)
    .where(DocumentURI.owner_id == bindparam("owner_id"), DocumentURI.version > 1)
)
STORED = select(func.sum(Document.file_size)).where(Document.hash.in_(union(_FOUND, _EARLIER)))
