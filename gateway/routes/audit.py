"""Who changed what."""

from typing import Any

from apiflask import APIBlueprint

from gateway.auth import requires, scope
from gateway.schemas.paging import PageQuery, page_of
from gateway.schemas.platform import AuditPage
from shared.db import get_session
from shared.domain.access import Permission
from shared.queries import audit

bp = APIBlueprint("audit", __name__, url_prefix="/api/v1/audit")


@bp.get("")
@requires(Permission.ADMIN)
@bp.input(PageQuery, location="query")
@bp.output(AuditPage)
def list_audit(query_data: PageQuery) -> dict[str, Any]:
    """List who changed what, newest first.

    Each change with its key, its request and its correlation id.
    """
    with get_session() as session:
        return page_of(audit.list_(session, scope(), **query_data.arguments()), query_data)
