"""Any row of work: where it is and why, and what can be done about it; and the workers."""

from dataclasses import asdict
from typing import Any

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.quotas import adds_work
from gateway.schemas.paging import PageQuery, page_of
from gateway.schemas.workflows.work import WhyOut, WorkerPage, WorkOut
from gateway.streaming import cancelling
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import Work
from shared.queries import kinds
from shared.queries.accounts import audit
from shared.queries.kinds import KINDS
from shared.queries.work import why

bp = APIBlueprint("work", __name__, url_prefix="/api/v1")


@bp.get("/workers")
@requires(Permission.READ)
@bp.input(PageQuery, location="query")
@bp.output(WorkerPage)
def list_workers(query_data: PageQuery) -> dict[str, Any]:
    """List the worker processes.

    Whether each is alive, its queues, and what it holds of one's own.
    """
    with get_session() as session:
        workers = kinds.list_workers(session, **query_data.arguments())
        held = kinds.list_held(session, scope(), [worker.id for worker in workers])
        answer = page_of(workers, query_data)
    items = [worker._asdict() | {"holds": [h for h in held if h.worker_id == worker.id]} for worker in workers]
    return answer | {"items": items}


@bp.get("/work/<string:kind>/<int:work_id>")
@requires(Permission.READ)
@bp.output(WorkOut)
def get_work(kind: str, work_id: int) -> Work:
    """Read a row of work.

    The id is the row's number.
    """
    with get_session() as session:
        return kinds.get(session, scope(), kind, work_id)


@bp.get("/work/<string:kind>/<int:work_id>/why")
@requires(Permission.READ)
@bp.output(WhyOut)
def get_why(kind: str, work_id: int) -> dict[str, Any]:
    """Say why a row of work is where it is.

    Its place in the queue, its worker, its next attempt, or that no worker listens. The id
    is the row's number.
    """
    with get_session() as session:
        return asdict(why.explain(session, kinds.get(session, scope(), kind, work_id)))


@bp.post("/work/<string:kind>/<int:work_id>/cancel")
@requires(Permission.WRITE)
@bp.output(WorkOut, 202)
def cancel_work(kind: str, work_id: int) -> Work:
    """Stop a row of work.

    A step takes the rest of its run with it. The id is the row's number.
    """
    with get_session() as session:
        row = kinds.get(session, scope(), kind, work_id)
        running = KINDS[kind].cancel(session, row)
        audit.record(session, "cancel", row.__tablename__, work_id)
    cancelling.announce(type(row), running)
    with get_session() as session:
        return kinds.get(session, scope(), kind, work_id)


@bp.post("/work/<string:kind>/<int:work_id>/retry")
@requires(Permission.WRITE)
@adds_work
@bp.output(WorkOut, 202)
def retry_work(kind: str, work_id: int) -> Work:
    """Begin a row of work again that failed or was cancelled.

    The id is the row's number.
    """
    with get_session() as session:
        row = kinds.get(session, scope(), kind, work_id)
        KINDS[kind].retry(session, row)
        audit.record(session, "retry", row.__tablename__, work_id)
    with get_session() as session:
        return kinds.get(session, scope(), kind, work_id)
