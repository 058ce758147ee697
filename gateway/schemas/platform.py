"""How the installation is."""

from datetime import datetime

from pydantic import Field

from gateway.schemas.base import Output
from gateway.schemas.paging import Page, PageQuery


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


class AuditQuery(PageQuery):
    """Which entries: those of which all that is given is true; `until` is not within."""

    actor: str | None = Field(default=None, min_length=1, max_length=200)
    action: str | None = Field(default=None, min_length=1, max_length=16)
    entity: str | None = Field(default=None, min_length=1, max_length=63)
    entity_id: str | None = Field(default=None, min_length=1, max_length=255)
    correlation_id: str | None = Field(default=None, min_length=1, max_length=128)
    since: datetime | None = None
    until: datetime | None = None


class AuditOut(Output):
    """Something that was done: who, what, when, by which request."""

    id: int
    actor: str
    action: str
    entity: str
    entity_id: str | None
    request: str | None
    correlation_id: str | None
    created_at: datetime


class AuditPage(Page[AuditOut]):
    """Entries, newest first."""
