"""Runs over REST: watched, cancelled, paused, resumed, retried."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from shared.domain.lifecycle import RunStatus
from shared.models import RunStep
from shared.queries.knowledge.passage_embeddings import FORGOTTEN
from shared.queries.work import engine
from tests.integration.gateway.test_files import persona, upload, writer
from tests.integration.gateway.worker import NAME, run_steps, settle, take

__all__ = ["persona", "writer"]  # fixtures
GROUPS = "/api/v1/workflow/run-groups"
RUNS = "/api/v1/workflow/runs"


@pytest.fixture
def group(writer, persona):
    """A run group over two files; returns its address."""
    upload(writer, persona, "works", ("x.txt", b"One."), ("y.txt", b"Two."))
    return f"{GROUPS}/{writer.post(f'{persona}/ingest').json['jobs'][1]['run_group_id']}"


@pytest.fixture
def run(writer, group):
    return f"{RUNS}/{writer.get(group).json['runs'][0]['id']}"


def states(client, run):
    return [step["status"] for step in client.get(run).json["steps"]]


def claim(session):
    return take(session, RunStep, "ingestion")


def test_groups_are_listed_newest_first(writer, group):
    listed = writer.get(GROUPS).json
    assert listed["total"] == 3
    assert [item["param_definition_id"] for item in listed["items"]] == ["quotes", "works", "profile"]


def test_a_group_tells_its_runs_by_status(writer, group, session):
    run_steps(session, 5)
    told = writer.get(group).json
    assert told["status"] == "RUNNING"
    assert sum(told["counts"].values()) == len(told["runs"]) == 2


def test_a_run_tells_its_steps_and_what_happened(writer, run, session):
    run_steps(session, 20)
    told = writer.get(run).json
    assert [step["step_type"] for step in told["steps"]] == ["validate", "parse", "chunk", "embed", "store"]
    assert {step["status"] for step in told["steps"]} == {"COMPLETED"}
    events = [event["event"] for event in told["lifecycle"]]
    assert (events.count("step_start"), events.count("step_end"), events.count("item_end")) == (5, 5, 1)


@pytest.mark.capability("C133")
def test_a_cancelled_group_starts_nothing_more(writer, group, session):
    answer = writer.post(f"{group}/cancel")
    assert (answer.status_code, answer.json["status"]) == (202, "CANCELLED")
    assert claim(session) is None
    assert writer.get(group).json["counts"] == {"CANCELLED": 2}


@pytest.mark.capability("C133")
def test_a_running_step_is_asked_to_stop_and_ends_its_run_cancelled(writer, run, session):
    held = claim(session)
    assert writer.post(f"{run}/cancel").json["status"] == "RUNNING"
    news = engine.renew(session, RunStep, [(held.id, held.fence)], lease=20)
    assert [item.cancelled for item in news] == [True]
    settle(session, held, RunStatus.CANCELLED)
    assert states(writer, run) == ["CANCELLED"] * 5
    assert writer.get(run).json["status"] == "CANCELLED"


@pytest.mark.capability("C133")
def test_a_step_that_ends_before_it_hears_of_the_cancel_ends_the_run_too(writer, run, session):
    held = claim(session)
    writer.post(f"{run}/cancel")
    settle(session, held)
    assert states(writer, run) == ["COMPLETED"] + ["CANCELLED"] * 4
    assert writer.get(run).json["status"] == "CANCELLED"


@pytest.mark.capability("C133")
def test_a_paused_run_ends_its_step_and_starts_no_other(writer, group, session):
    held = claim(session)
    assert writer.post(f"{group}/pause").status_code == 202
    settle(session, held)
    assert claim(session) is None
    assert all(item["paused_at"] for item in writer.get(group).json["runs"])
    writer.post(f"{group}/resume")
    assert run_steps(session, 20) == 9
    assert writer.get(group).json["status"] == "COMPLETED"


@pytest.mark.capability("C133")
def test_a_step_in_backoff_waits_for_the_end_of_the_pause(writer, run, session):
    settle(session, claim(session), RunStatus.ERROR, "no model")
    writer.post(f"{run}/pause")
    session.execute(update(RunStep).values(ready_at=RunStep.ready_at - func.make_interval(0, 0, 0, 1)))
    engine.promote_due(session, RunStep)
    assert states(writer, run)[0] == "ERROR"
    step = writer.get(run).json["steps"][0]["id"]
    told = writer.get(f"/api/v1/work/steps/{step}/why").json
    assert (told["reason"], told["next_retry"]) == ("attempt 1 of 3 failed: no model; its run is paused", None)
    writer.post(f"{run}/resume")
    engine.promote_due(session, RunStep)
    assert states(writer, run)[0] == "PENDING"


def fail_for_now(session, held):
    settle(session, held, RunStatus.ERROR, "no model")
    session.execute(update(RunStep).values(ready_at=RunStep.ready_at - func.make_interval(0, 0, 0, 1)))


def lose_its_worker(session, held):
    engine.end_leases(session, RunStep, NAME)
    engine.reopen(session, RunStep)


def be_handed_back(session, held):
    assert engine.hand_back(session, RunStep, NAME) == (1, 0)


@pytest.mark.capability("C133")
@pytest.mark.parametrize("come_back", [fail_for_now, lose_its_worker, be_handed_back])
def test_a_paused_run_stays_paused_however_its_step_comes_back(writer, group, session, come_back):
    held = claim(session)
    writer.post(f"{group}/pause")
    come_back(session, held)
    engine.promote_due(session, RunStep)
    assert claim(session) is None
    writer.post(f"{group}/resume")
    engine.promote_due(session, RunStep)
    assert claim(session).id == held.id
    assert run_steps(session, 20) == 5  # the other file's
    assert writer.get(group).json["counts"] == {"RUNNING": 1, "COMPLETED": 1}


@pytest.mark.parametrize("come_back", [fail_for_now, lose_its_worker, be_handed_back])
def test_a_step_of_a_run_that_is_not_paused_comes_back_at_once(writer, group, session, come_back):
    held = claim(session)
    come_back(session, held)
    engine.promote_due(session, RunStep)
    assert claim(session).id == held.id


@pytest.mark.capability("C133")
def test_a_paused_run_can_be_cancelled(writer, run, session):
    held = claim(session)
    writer.post(f"{run}/pause")
    writer.post(f"{run}/cancel")
    settle(session, held)
    assert writer.get(run).json["status"] == "CANCELLED"


@pytest.mark.capability("C133")
def test_a_retried_run_goes_on_where_it_failed(writer, run, session):
    first = claim(session)
    settle(session, first)
    writer.post(f"{run}/pause")
    other = claim(session)
    settle(session, other, RunStatus.FAILED, "the file is damaged")
    writer.post(f"{run}/resume")
    failed = claim(session)
    settle(session, failed, RunStatus.FAILED, "no space left")
    assert writer.get(run).json["status"] == "FAILED"
    assert writer.post(f"{run}/retry").json["status"] == "RUNNING"
    assert states(writer, run) == ["COMPLETED", "PENDING", "PENDING", "PENDING", "PENDING"]
    run_steps(session, 20)
    assert writer.get(run).json["status"] == "COMPLETED"


def test_a_step_that_had_its_turn_waits_behind_the_others_and_goes_on(writer, run, session):
    first = claim(session)
    settle(session, first, RunStatus.PENDING)
    other = claim(session)
    assert other.id != first.id
    assert claim(session).id == first.id
    assert (states(writer, run)[0], writer.get(run).json["steps"][0]["retry"]) == ("RUNNING", 0)


def make_room(session, priority):
    """Let the best step have its turn and be set back, with a priority that somebody gave it."""
    first = claim(session)
    session.execute(update(RunStep).where(RunStep.id == first.id).values(priority=priority))
    settle(session, first, RunStatus.PENDING)
    return first.id


def priority_of(session, step_id):
    return session.scalar(select(RunStep.priority).where(RunStep.id == step_id))


@pytest.mark.parametrize("priority", [7, 0, -3])
def test_a_step_makes_room_for_all_others_and_has_its_priority_again_at_its_next_turn(run, session, priority):
    first = make_room(session, priority)
    assert FORGOTTEN < priority_of(session, first) < min(priority, 0)
    while (step := claim(session)).id != first:
        assert step is not None
    assert priority_of(session, first) == priority
    assert "made_room" not in step.status_meta


def test_a_step_that_made_room_goes_before_what_came_since_when_it_has_waited_enough(run, session):
    first = make_room(session, 0)
    engine.end_waits(session, RunStep, ["ingestion"])
    assert priority_of(session, first) == -1
    since = func.clock_timestamp() - timedelta(seconds=engine.WAITED_ENOUGH)
    session.execute(update(RunStep).where(RunStep.id == first).values(ready_at=since))
    engine.end_waits(session, RunStep, ["ingestion"])
    assert claim(session).id == first


def test_a_step_that_made_room_and_is_tried_again_has_its_priority(run, session):
    first = make_room(session, 0)
    engine.cancel(session, RunStep, [first])
    engine.retry(session, RunStep, [first])
    assert claim(session).id == first


@pytest.mark.capability("C133")
def test_a_step_whose_turn_ends_in_a_pause_waits_for_the_end_of_the_pause(writer, run, session):
    first = claim(session)
    writer.post(f"{run}/pause")
    settle(session, first, RunStatus.PENDING)
    claim(session)
    assert claim(session) is None
    writer.post(f"{run}/resume")
    assert claim(session).id == first.id


def test_a_step_whose_turn_ends_in_a_cancel_is_cancelled(writer, run, session):
    first = claim(session)
    engine.cancel(session, RunStep, [first.id])
    settle(session, first, RunStatus.PENDING)
    assert states(writer, run)[0] == "CANCELLED"


def test_a_group_is_retried_where_runs_failed(writer, group, session):
    settle(session, claim(session), RunStatus.FAILED, "the file is damaged")
    run_steps(session, 20)
    assert writer.get(group).json["counts"] == {"COMPLETED": 1, "FAILED": 1}
    writer.post(f"{group}/retry")
    assert run_steps(session, 20) == 5
    assert writer.get(group).json["status"] == "COMPLETED"


@pytest.mark.parametrize("action", ["pause", "retry"])
def test_what_has_nothing_to_act_on_is_a_conflict(writer, group, session, action):
    run_steps(session, 20)
    assert writer.post(f"{group}/{action}").status_code == 409


def test_a_run_that_failed_cannot_be_paused(writer, run, session):
    settle(session, claim(session), RunStatus.FAILED, "the file is damaged")
    assert writer.post(f"{run}/pause").status_code == 409
    assert writer.get(run).json["paused_at"] is None


def test_a_reader_watches_and_does_not_steer(reader, group, run):
    assert reader.get(run).status_code == 200
    assert reader.post(f"{run}/cancel").status_code == 403


def test_what_happened_is_kept_once_per_step(writer, run, session):
    writer.post(f"{run}/cancel")
    recorded = session.scalar(select(func.count()).select_from(RunStep).where(RunStep.status == "CANCELLED"))
    assert recorded == 5
