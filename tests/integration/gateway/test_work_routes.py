"""Any row of work over REST: where it is, why, and what can be done; and the workers."""

import pytest
from sqlalchemy import update

from shared.domain.lifecycle import RunStatus
from shared.models import (
    Conversation,
    MemoryWindow,
    Message,
    Module,
    ModuleExecution,
    Persona,
    Turn,
    Webhook,
    WebhookDelivery,
    WorkerCheckin,
)
from shared.queries import kinds
from shared.queries.dialogue import turns
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.work import engine, workers
from tests.integration.gateway.worker import NAME, settle, take


@pytest.fixture
def writer(client_of):
    return client_of("write")


@pytest.fixture
def conversation(session):
    conversation = Conversation(persona=Persona(name="Ada"))
    session.add(conversation)
    session.flush()
    return conversation


@pytest.fixture
def turn(session, conversation):
    return turns.add(session, DEFAULT_SCOPE, conversation.id, "One?")


def address(row, kind="turns"):
    return f"/api/v1/work/{kind}/{row.id}"


def why(client, row):
    return client.get(f"{address(row)}/why").json


def check_in(session, queues='["dialogue"]', name=NAME):
    workers.check_in(session, name, queues=queues, claimed=True)


def test_every_table_of_work_has_a_kind():
    assert {kind.model for kind in kinds.KINDS.values()} == set(engine.models())


@pytest.mark.capability("C168")
def test_each_kind_is_found_by_its_owner_only(session, conversation, turn, writer, client_of):
    module, webhook = Module(name="greet"), Webhook(url="https://example.org", events=["x"], secret_encrypted=b"")
    session.add_all([module, webhook])
    session.flush()
    rows = {
        "turns": turn,
        "module_executions": ModuleExecution(module_id=module.id),
        "memory_windows": MemoryWindow(conversation_id=conversation.id, sequence=1, first_position=1, last_position=2),
        "webhook_deliveries": WebhookDelivery(webhook_id=webhook.id, event="x", payload={}, queue="upkeep"),
    }
    session.add_all(rows.values())
    session.flush()
    other = client_of("admin", owner="other")
    for kind, row in rows.items():
        assert writer.get(address(row, kind)).json["status"] == "PENDING"
        for path in ("", "/why"):
            assert other.get(address(row, kind) + path).status_code == 404
        for action in ("cancel", "retry"):
            assert other.post(f"{address(row, kind)}/{action}").status_code == 404


def test_a_kind_that_does_not_exist_is_not_found(writer):
    answer = writer.get("/api/v1/work/tables/1")
    assert answer.status_code == 404
    assert "turns, steps" in answer.json["error"]


@pytest.mark.capability("C168")
def test_a_row_says_that_nobody_listens(writer, turn):
    told = why(writer, turn)
    assert (told["listeners"], told["position"]) == (0, 1)
    assert "no worker listens to the queue dialogue" in told["reason"]


@pytest.mark.capability("C168")
def test_a_row_says_how_many_are_before_it(writer, session, turn):
    check_in(session)
    more = Conversation(persona=Persona(name="Bea"))
    session.add(more)
    session.flush()
    later = turns.add(session, DEFAULT_SCOPE, more.id, "Two?")
    assert (why(writer, later)["position"], why(writer, later)["reason"]) == (2, "number 2 on the queue dialogue")


@pytest.mark.capability("C168")
def test_a_running_row_says_who_holds_it_since_when(writer, session, turn):
    check_in(session)
    take(session, Turn, "dialogue")
    told = why(writer, turn)
    assert (told["status"], told["holder"]) == ("RUNNING", NAME)
    assert told["last_heartbeat"]
    assert told["lease_until"]


@pytest.mark.capability("C168")
def test_a_row_in_backoff_says_when_it_is_tried_again(writer, session, turn):
    settle(session, take(session, Turn, "dialogue"), RunStatus.ERROR, "no model")
    told = why(writer, turn)
    assert told["next_retry"]
    assert told["reason"] == "attempt 1 of 3 failed: no model"


@pytest.mark.capability("C168")
def test_a_blocked_row_says_so(writer, session, conversation, turn):
    second = turns.add(session, DEFAULT_SCOPE, conversation.id, "Two?")
    assert "until an earlier step or turn has ended" in why(writer, second)["reason"]


@pytest.mark.capability("C168")
def test_a_waiting_row_is_cancelled_at_once(writer, turn):
    assert writer.post(f"{address(turn)}/cancel").json["status"] == "CANCELLED"


def test_a_failed_row_is_retried_from_its_start(writer, session, turn):
    settle(session, take(session, Turn, "dialogue"), RunStatus.FAILED, "no model")
    answer = writer.post(f"{address(turn)}/retry").json
    assert (answer["status"], answer["retry"], answer["status_message"]) == ("PENDING", 0, None)
    assert take(session, Turn, "dialogue").id == turn.id


def test_a_retried_turn_waits_for_the_one_under_way(writer, session, conversation, turn):
    settle(session, take(session, Turn, "dialogue"), RunStatus.FAILED, "no model")
    turns.add(session, DEFAULT_SCOPE, conversation.id, "Two?")
    running = take(session, Turn, "dialogue")
    assert writer.post(f"{address(turn)}/retry").json["ready_at"] is None
    settle(session, running)
    assert take(session, Turn, "dialogue").id == turn.id


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, None])
def test_what_has_not_failed_is_not_retried(writer, session, turn, status):
    if status:
        settle(session, take(session, Turn, "dialogue"), status)
    assert writer.post(f"{address(turn)}/retry").status_code == 409


@pytest.mark.capability("C144")
def test_a_worker_is_listed_with_what_it_holds(reader, session, turn):
    check_in(session)
    take(session, Turn, "dialogue")
    [worker] = reader.get("/api/v1/workers").json["items"]
    assert (worker["id"], worker["queues"], worker["alive"]) == (NAME, ["dialogue"], True)
    assert [(held["kind"], held["id"]) for held in worker["holds"]] == [("turns", turn.id)]
    assert worker["last_checkin"] >= worker["first_checkin"]
    assert worker["holds"][0]["since"]


@pytest.mark.capability("C144")
def test_a_worker_that_is_silent_is_not_alive(reader, session):
    check_in(session)
    long_ago = "2020-01-01T00:00:00+00:00"
    session.execute(update(WorkerCheckin).values(first_checkin=long_ago, last_checkin=long_ago))
    check_in(session, name="w:2:")
    listed = reader.get("/api/v1/workers").json["items"]
    assert [(worker["id"], worker["alive"]) for worker in listed] == [("w:2:", True), (NAME, False)]


@pytest.mark.capability("C9")
def test_what_a_worker_does_for_others_is_not_shown(client_of, session, turn):
    check_in(session)
    take(session, Turn, "dialogue")
    [worker] = client_of("read", owner="other").get("/api/v1/workers").json["items"]
    assert worker["holds"] == []


def test_a_turn_of_a_deleted_conversation_is_gone(writer, session, conversation, turn):
    writer_of_chats = address(turn)
    session.delete(conversation)
    session.flush()
    assert writer.get(writer_of_chats).status_code == 404
    assert session.query(Message).count() == 0
