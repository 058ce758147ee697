"""Who did what: while somebody is acting, what they change leaves rows of the audit log in the same transaction.

A write of an `Audited` model is seen by itself. What is done to rows of work (a cancel, a retry, an ingestion) is said
with `record`, where it is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, event, func, insert, inspect, select
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction

from shared.db import session_factory
from shared.models import Audited
from shared.models.platform import AuditEntry
from shared.queries.rows import Slice, page, removed
from shared.queries.scope import Scope, owned

SILENT = {"audit": None}  # execution options of a statement that something else tells of


@dataclass(frozen=True)
class Actor:
    """Somebody at work: who, for which owner, by which request."""

    name: str
    owner_id: str
    request: str | None = None
    correlation_id: str | None = None


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


def set_actor(actor: Actor | None) -> None:
    """Name whoever acts in this context from here on; None for nobody."""
    _actor.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Name whoever acts inside the block."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


class Pending(NamedTuple):
    """An entry to be written with the commit, unless one of the savepoints that it is in is undone."""

    savepoints: list[SessionTransaction]
    values: dict[str, Any]


def watch() -> None:
    """Start recording for every session of this process; a second call changes nothing."""
    if event.contains(session_factory, "before_commit", _write):
        return
    event.listen(session_factory, "after_flush", _record_flush)
    event.listen(session_factory, "do_orm_execute", _record_statement)
    event.listen(session_factory, "before_commit", _write)
    event.listen(session_factory, "after_soft_rollback", _forget)


def record(session: Session, action: str, entity: str, entity_id: object = None) -> None:
    """Say that whoever acts does this to a row, or with None to rows, of a table; nothing where nobody acts."""
    actor = _actor.get()
    if actor is None:
        return
    entry = {
        "owner_id": actor.owner_id,
        "actor": actor.name,
        "action": action,
        "entity": entity,
        "entity_id": None if entity_id is None else str(entity_id),
        "request": actor.request,
        "correlation_id": actor.correlation_id,
    }
    _pending(session).append(Pending(_savepoints(session), entry))


def list_(
    session: Session,
    scope: Scope,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
    **equal: str | None,
) -> Slice[AuditEntry]:
    """List what was done to the owner's, newest first; where they are given, in a time and with columns `equal`."""
    given = {name: value for name, value in equal.items() if value is not None}
    statement = owned(AuditEntry, scope).filter_by(**given).order_by(AuditEntry.id.desc())
    if since is not None:
        statement = statement.where(AuditEntry.created_at >= since)
    if until is not None:
        statement = statement.where(AuditEntry.created_at < until)
    return page(session, statement, limit=limit, offset=offset)


def prune(session: Session, *, keep: timedelta, batch: int) -> int:
    """Delete up to `batch` entries older than `keep`, and say how many went."""
    old = select(AuditEntry.id).where(AuditEntry.created_at < func.clock_timestamp() - keep)
    some = old.order_by(AuditEntry.created_at).limit(batch).with_for_update(skip_locked=True)
    return removed(session, delete(AuditEntry).where(AuditEntry.id.in_(some)))


def _savepoints(session: Session) -> list[SessionTransaction]:
    """Return the savepoints that are open, the innermost first."""
    found, each = [], session.get_nested_transaction()
    while each is not None and each.nested:
        found.append(each)
        each = each.parent
    return found


def _pending(session: Session) -> list[Pending]:
    pending: list[Pending] = session.info.setdefault("audit", [])
    return pending


def _record_flush(session: Session, context: UOWTransaction) -> None:
    if _actor.get() is None:
        return
    changes = [("create", session.new), ("update", session.dirty), ("delete", session.deleted)]
    for action, rows in changes:
        for row in rows:
            if isinstance(row, Audited) and (action != "update" or session.is_modified(row)):
                record(session, action, row.__tablename__, _key_of(row))


def _record_statement(state: ORMExecuteState) -> None:
    """Record a statement that writes, which no flush sees; its option `audit` gives the id of the row that it is about.

    Without it the entry names none, and where it is None there is no entry.
    """
    writes = state.is_insert or state.is_update or state.is_delete
    mapper, row_id = state.bind_mapper, state.execution_options.get("audit", "")
    if not writes or mapper is None or not issubclass(mapper.class_, Audited) or row_id is None:
        return
    action = "create" if state.is_insert else "update" if state.is_update else "delete"
    record(state.session, action, mapper.class_.__tablename__, row_id or None)


def _write(session: Session) -> None:
    """Write what is pending, with one statement, before the commit; savepoints leave it to the whole transaction."""
    if session.in_nested_transaction():
        return
    session.flush()
    if pending := _pending(session):
        session.connection().execute(insert(AuditEntry), [entry.values for entry in pending])
        pending.clear()


def _forget(session: Session, undone: SessionTransaction) -> None:
    """Forget what was undone: a savepoint's entries, or all."""
    if undone.nested:
        session.info["audit"] = [entry for entry in _pending(session) if undone not in entry.savepoints]
    elif undone.parent is None:
        session.info.pop("audit", None)


def _key_of(row: Any) -> str | None:
    identity = inspect(row).mapper.primary_key_from_instance(row)
    return "/".join(str(part) for part in identity) if identity else None
