"""Who changed what: while somebody is acting, every write of the session leaves a row in the same transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from shared.db import session_factory
from shared.models.platform import AuditEntry, IdempotencyKey
from shared.queries.rows import Slice, page
from shared.queries.scope import Scope, owned

UNAUDITED: tuple[type[Any], ...] = (AuditEntry, IdempotencyKey)


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


def watch() -> None:
    """Start recording for every session of this process; a second call changes nothing."""
    if not event.contains(session_factory, "after_flush", _record_flush):
        event.listen(session_factory, "after_flush", _record_flush)
        event.listen(session_factory, "do_orm_execute", _record_statement)


def list_(session: Session, scope: Scope, *, limit: int = 100, offset: int = 0) -> Slice[AuditEntry]:
    """List what was changed of the owner's, newest first."""
    return page(session, owned(AuditEntry, scope).order_by(AuditEntry.id.desc()), limit=limit, offset=offset)


def _record_flush(session: Session, context: UOWTransaction) -> None:
    actor = _actor.get()
    if actor is None:
        return
    changes = [("create", session.new), ("update", session.dirty), ("delete", session.deleted)]
    entries = [
        _entry(actor, action, row.__tablename__, _key_of(row))
        for action, rows in changes
        for row in rows
        if not isinstance(row, UNAUDITED) and (action != "update" or session.is_modified(row))
    ]
    if entries:
        session.connection().execute(insert(AuditEntry), entries)


def _record_statement(state: ORMExecuteState) -> None:
    """Record statements, which no flush sees; the rows they touched are not known here."""
    actor, mapper = _actor.get(), state.bind_mapper
    if actor is None or mapper is None or not (state.is_insert or state.is_update or state.is_delete):
        return
    if mapper.class_ in UNAUDITED:
        return
    action = "create" if state.is_insert else "update" if state.is_update else "delete"
    entity: str = mapper.class_.__tablename__
    state.session.connection().execute(insert(AuditEntry), [_entry(actor, action, entity, None)])


def _entry(actor: Actor, action: str, entity: str, entity_id: str | None) -> dict[str, Any]:
    return {
        "owner_id": actor.owner_id,
        "actor": actor.name,
        "action": action,
        "entity": entity,
        "entity_id": entity_id,
        "request": actor.request,
        "correlation_id": actor.correlation_id,
    }


def _key_of(row: Any) -> str | None:
    identity = inspect(row).mapper.primary_key_from_instance(row)
    return "/".join(str(part) for part in identity) if identity else None
