"""How the installation is."""

from datetime import datetime

from gateway.schemas.base import Output
from gateway.schemas.paging import Page


class HealthOut(Output):
    """The process answers."""

    status: str
    service: str
    version: str


class ReadyOut(Output):
    """All is there that nothing works without; `degraded` names what only some things need, with a reason."""

    status: str
    degraded: dict[str, str]


class DatabaseOut(Output):
    """The database by name, server version, migration and tables."""

    database: str
    version: str
    migration: str | None
    tables: list[str]


class AuditOut(Output):
    """One change: who, what, when, by which request."""

    id: int
    actor: str
    action: str
    entity: str
    entity_id: str | None
    request: str | None
    correlation_id: str | None
    created_at: datetime


class AuditPage(Page[AuditOut]):
    """Changes, newest first."""
