"""Documents that are fetched from the web: asked for by the gateway, brought in by a worker."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL
from shared.logs import Correlation
from shared.models import Fetch
from shared.queries.intake.arrivals import Arrival, require_welcome
from shared.queries.rows import found, removed
from shared.queries.scope import Scope, owned, owner_of


def add(session: Session, scope: Scope, url: str, arrival: Arrival, *, meta: Correlation | None = None) -> Fetch:
    """Add the fetching of a document; raises NotFound, or Conflict for a batch that is completed."""
    require_welcome(session, scope, arrival)
    row = Fetch(
        **owner_of(scope),
        url=url,
        arrival=arrival.as_json(),
        status_meta=meta or {},
        ready_at=func.clock_timestamp(),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def get(session: Session, scope: Scope, fetch_id: int) -> Fetch:
    """Return a fetch; raises NotFound."""
    return found(session.scalar(owned(Fetch, scope).where(Fetch.id == fetch_id)), "fetch", fetch_id)


def prune(session: Session, *, keep: timedelta, batch: int) -> int:
    """Delete up to `batch` fetches that ended before `keep`, and say how many went."""
    old = Fetch.status.in_(TERMINAL) & (Fetch.completed_date < func.clock_timestamp() - keep)
    some = select(Fetch.id).where(old).order_by(Fetch.completed_date).limit(batch).with_for_update(skip_locked=True)
    return removed(session, delete(Fetch).where(Fetch.id.in_(some)))
