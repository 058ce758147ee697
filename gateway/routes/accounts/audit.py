"""Who did what."""

from typing import Any

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.schemas.paging import page_of
from gateway.schemas.platform import AuditPage, AuditQuery
from shared.db import get_session
from shared.domain.access import Permission
from shared.queries.accounts import audit

bp = APIBlueprint("audit", __name__, url_prefix="/api/v1/audit")


@bp.get("")
@requires(Permission.ADMIN)
@bp.input(AuditQuery, location="query")
@bp.output(AuditPage)
def list_audit(query_data: AuditQuery) -> dict[str, Any]:
    """List who did what, newest first.

    `entity` is the table and `entity_id` the row's id, none where it was many. Entries are kept for a year, or as long
    as the operator says.
    """
    with get_session() as session:
        return page_of(audit.list_(session, scope(), **query_data.arguments()), query_data)
