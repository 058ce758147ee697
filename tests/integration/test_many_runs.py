"""What people do to many runs at once takes as many statements for a hundred documents as for ten."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, func, select, update

from shared.db import Session
from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import LifeCycleEvent
from shared.errors import Conflict
from shared.models import Document, LifecycleHistory, RunGroup, RunStep, WorkflowRun
from shared.queries.scope import Scope
from shared.queries.workflows import control, runs, starts
from tests.integration.gateway.worker import settle, take
from tests.integration.woken import woken

MOST = 12
Act = Callable[[Session, list[int]], object]


def group_of(session: Session, documents: int) -> list[int]:
    """Start the runs of so many documents in one group, and return their ids."""
    session.execute(update(RunStep).values(ready_at=None))  # of other tests' groups nothing is taken
    group = starts.add_group(session, Scope("default"), "many")
    hashes = [f"sha256-{group.id}-{number}" for number in range(documents)]
    session.add_all(Document(hash=name, mime_type="text/plain", file_size=1) for name in hashes)
    session.flush()
    begun = starts.add_runs(session, group, [starts.Start(name, {}, {}) for name in hashes])
    return [run.id for run in begun]


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """Collect the statements that are sent inside the block."""
    sent: list[str] = []

    def note(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
        sent.append(statement)

    event.listen(session.connection(), "before_cursor_execute", note)
    try:
        yield sent
        session.flush()
    finally:
        event.remove(session.connection(), "before_cursor_execute", note)


def fail_all(session: Session, run_ids: list[int]) -> None:
    control.cancel(session, run_ids)


def nothing(session: Session, run_ids: list[int]) -> None:
    pass


def pause(session: Session, run_ids: list[int]) -> None:
    control.pause(session, run_ids)


@pytest.mark.parametrize(
    ("before", "act"),
    [(nothing, control.cancel), (fail_all, control.retry), (nothing, control.pause), (pause, control.resume)],
)
def test_the_statements_do_not_grow_with_the_documents(session: Session, before: Act, act: Act) -> None:
    sent = []
    for documents in (10, 100):
        run_ids = group_of(session, documents)
        before(session, run_ids)
        with counted(session) as statements:
            act(session, run_ids)
        sent.append(len(statements))
    assert sent[0] == sent[1] <= MOST


def happened(session: Session, run_ids: list[int]) -> dict[str, int]:
    """Count what is recorded of the group by event."""
    group_id = session.scalar(select(WorkflowRun.run_group_id).where(WorkflowRun.id == run_ids[0]))
    events = select(LifecycleHistory.event, func.count()).where(LifecycleHistory.run_group_id == group_id)
    return {event.value: count for event, count in session.execute(events.group_by(LifecycleHistory.event))}


def group_status(session: Session, run_ids: list[int]) -> tuple[RunStatus, str | None]:
    mine = select(RunGroup.status, RunGroup.status_message).join(WorkflowRun).where(WorkflowRun.id == run_ids[0])
    return tuple(session.execute(mine).one())


def test_a_cancelled_group_keeps_its_history_and_ends_once(session: Session) -> None:
    run_ids = group_of(session, 10)
    control.cancel(session, run_ids)
    assert happened(session, run_ids) == {
        LifeCycleEvent.STEP_FAILED: 50,
        LifeCycleEvent.ITEM_FAILED: 10,
        LifeCycleEvent.GROUP_END: 1,
    }
    assert group_status(session, run_ids) == (RunStatus.CANCELLED, "0 of 10 documents completed")
    assert control.cancel(session, run_ids) == []
    assert happened(session, run_ids)["group_end"] == 1


def test_a_step_that_is_worked_on_is_announced_and_ends_its_run_and_the_group_later(session: Session) -> None:
    run_ids = group_of(session, 10)
    held = take(session, RunStep, "ingestion")
    assert control.cancel(session, run_ids) == [(held.id, held.fence)]
    assert group_status(session, run_ids)[0] is RunStatus.RUNNING
    assert runs.count_by_status(session, session.get_one(WorkflowRun, run_ids[0]).run_group_id) == {
        RunStatus.RUNNING: 1,
        RunStatus.CANCELLED: 9,
    }
    settle(session, held, RunStatus.CANCELLED)
    assert group_status(session, run_ids)[0] is RunStatus.CANCELLED
    assert happened(session, run_ids)["group_end"] == 1


def test_runs_that_ended_before_keep_their_end(session: Session) -> None:
    run_ids = group_of(session, 3)
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "the file is damaged")
    settle(session, take(session, RunStep, "ingestion"), RunStatus.ERROR, "no model")
    control.cancel(session, run_ids)
    ends = session.execute(
        select(WorkflowRun.status, WorkflowRun.status_message)
        .where(WorkflowRun.id.in_(run_ids))
        .order_by(WorkflowRun.id)
    )
    assert [tuple(end) for end in ends] == [
        (RunStatus.FAILED, "the file is damaged"),
        (RunStatus.CANCELLED, "no model"),
        (RunStatus.CANCELLED, None),
    ]
    assert group_status(session, run_ids)[0] is RunStatus.FAILED


def test_a_retried_group_begins_where_each_run_ended(session: Session) -> None:
    run_ids = group_of(session, 3)
    settle(session, take(session, RunStep, "ingestion"))
    control.cancel(session, run_ids)
    woken(session)
    control.retry(session, run_ids)
    assert woken(session) == {"ingestion"}
    ready = select(RunStep.workflow_step_number).where(
        RunStep.workflow_run_id.in_(run_ids), RunStep.status == RunStatus.PENDING, RunStep.ready_at.is_not(None)
    )
    assert session.scalars(ready.order_by(RunStep.workflow_run_id)).all() == [2, 1, 1]
    assert group_status(session, run_ids) == (RunStatus.RUNNING, None)
    with pytest.raises(Conflict):
        control.retry(session, run_ids)
