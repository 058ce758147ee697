"""Modules on demand, scripts that are tried, templates that are resolved: asked for here, run by a worker."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from gateway import create_app
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import POISON, POISON_CRASHES, RunStatus
from shared.models import Conversation, ConversationMemory, ConversationState, Message, ModuleExecution, Persona
from shared.queries import on_demand
from shared.queries.accounts import keys
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.work import engine
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.worker import run_modules, settle, take
from tests.processes import until

MODULES = "/api/v1/modules"
RESOLVE = "/api/v1/templates/resolve"
LATER = "?wait=false"
KEY = {"Idempotency-Key": "run-1"}


@pytest.fixture
def client(client_of):
    return client_of("write", "chat")


@pytest.fixture
def module(client):
    """Add a module and return its id; scripts run on demand unless told otherwise."""

    def add(name, script=None, **values):
        body = {"name": name, "script": script, "type": "advanced" if script else "simple"}
        return client.post(MODULES, json=body | values).json["id"]

    return add


@pytest.fixture
def result(client, session):
    """Send something, have a worker do it, and return what came of it."""

    def read(path, body):
        sent = client.post(path + LATER, json=body)
        assert sent.status_code == 202, sent.text
        run_modules(session)
        return client.get(sent.headers["Location"]).json["result"]

    return read


@pytest.fixture
def conversation(session):
    conversation = Conversation(persona=Persona(name="Ada", template="You are Ada. @mood"))
    session.add(conversation)
    session.flush()
    said = [("user", "Good morning"), ("assistant", "Good day")]
    session.add_all(Message(conversation_id=conversation.id, role=role, content=content) for role, content in said)
    session.flush()
    return conversation


def memories_of(session, conversation):
    return session.scalars(ConversationMemory.get_for_conversation(session, conversation.id).statement).all()


@pytest.mark.capability("C57")
@pytest.mark.capability("C58")
def test_a_template_is_resolved_and_says_what_it_went_without(module, result):
    module("greeting", content="Say hello, and @clock")
    module("clock", "ctx.set_variable('hour', 9)", content="it is ${hour} ${nothing}", execution_context="IMMEDIATE")
    found = result(RESOLVE, {"template": r"You are Ada. @greeting @absent \@clock"})
    assert found["resolved_template"] == "You are Ada. Say hello, and it is 9 ${nothing} @absent @clock"
    assert found["resolved_modules"] == ["greeting", "clock"]
    (warning,) = found["warnings"]
    assert (warning["module_name"], warning["warning_type"]) == ("absent", "module_not_found")


def test_a_module_that_no_message_calls_for_is_a_warning(module, result):
    module("lost", "mood = 'calm'", content="You feel ${mood}.")
    found = result(RESOLVE, {"template": "You are Ada. @lost"})
    assert found["resolved_template"] == "You are Ada. "
    assert [(warning["module_name"], warning["warning_type"]) for warning in found["warnings"]] == [
        ("lost", "module_never_called")
    ]


def test_a_pattern_whose_search_is_stopped_is_a_warning(module, result):
    module("slow", content="Look up.", trigger_pattern="(a|aa)+$")
    found = result(RESOLVE, {"template": "You are Ada. @slow", "message": "a" * 4000 + "!"})
    assert found["resolved_template"] == "You are Ada. "
    assert [(warning["module_name"], warning["warning_type"]) for warning in found["warnings"]] == [
        ("slow", "trigger_not_searched")
    ]


@pytest.mark.capability("C66")
def test_a_module_that_fails_while_resolving_is_a_warning(module, result):
    module("broken", "1 / 0", execution_context="IMMEDIATE")
    found = result(RESOLVE, {"template": "You are Ada.@broken"})
    assert found["resolved_template"] == "You are Ada."
    assert [warning["warning_type"] for warning in found["warnings"]] == ["execution_error"]


@pytest.mark.capability("C57")
def test_a_personas_template_is_resolved_with_what_its_modules_left_in_the_conversation(
    module, result, conversation, session
):
    mood = module("mood", "pass", content="You feel ${mood}.", execution_context="POST_RESPONSE")
    assert result(RESOLVE, {"persona_id": str(conversation.persona_id)})["resolved_template"] == "You are Ada. "
    ConversationState.store_execution_result(session, conversation.id, mood, "stage4", {"mood": "well"})
    found = result(RESOLVE, {"conversation_id": str(conversation.id)})
    assert found["resolved_template"] == "You are Ada. You feel well."


@pytest.mark.capability("C57")
@pytest.mark.parametrize(("message", "resolved"), [("What time is it?", "nine"), ("Hello", ""), (None, "")])
def test_what_runs_on_demand_is_resolved_when_the_message_asks_for_it(module, result, message, resolved):
    module("clock", "result = 'nine'", trigger_pattern="time")
    assert result(RESOLVE, {"template": "@clock", "message": message})["resolved_template"] == resolved


def test_there_must_be_something_to_resolve(client):
    assert client.post(RESOLVE, json={"message": "Hello"}).status_code == 422


@pytest.mark.capability("C68")
def test_a_module_is_run_on_demand_and_its_whole_result_told(module, result, conversation):
    script = "print('Hi')\nctx.log('ran')\nanswer = ctx.last_user_message.upper()\nctx.run_module('absent')"
    found = result(
        f"{MODULES}/{module('echo', script, content='${answer}!')}/run", {"conversation_id": str(conversation.id)}
    )
    assert (found["success"], found["error"], found["resolved_content"]) == (True, None, "GOOD MORNING!")
    assert found["outputs"]["answer"] == "GOOD MORNING"
    assert (found["printed"], found["log"], found["ai_calls"]) == ("Hi\n", ["ran"], 0)
    assert [warning["warning_type"] for warning in found["warnings"]] == ["module_not_found"]
    assert found["seconds"] > 0


@pytest.mark.capability("C68")
def test_a_message_that_is_given_stands_for_the_last_one(module, result, conversation):
    id = module("echo", "answer = ctx.last_user_message + ctx.ai_response")
    body = {"conversation_id": str(conversation.id), "message": "Bye. "}
    assert result(f"{MODULES}/{id}/run", body)["outputs"]["answer"] == "Bye. Good day"


@pytest.mark.capability("C68")
def test_a_script_that_fails_is_a_result_with_what_it_printed(module, result):
    found = result(f"{MODULES}/{module('broken', 'print(1)' + chr(10) + '1 / 0')}/run", {})
    assert (found["success"], found["printed"], found["outputs"]) == (False, "1\n", {})
    assert found["error"] == "ZeroDivisionError: division by zero"
    assert "line 2" in found["traceback"]


def test_an_inactive_module_is_not_run(client, module):
    id = module("off", "x = 1", is_active=False)
    assert client.post(f"{MODULES}/{id}/run", json={}).status_code == 409


@pytest.mark.capability("C75")
def test_what_a_module_stores_on_demand_is_stored_once_and_what_is_tried_out_is_not(
    module, result, conversation, session
):
    script = "stored = ctx.store_memory('They met.', '1-2')"
    about = {"conversation_id": str(conversation.id)}
    stored = result(f"{MODULES}/{module('keep', script)}/run", about)["outputs"]["stored"]
    (memory,) = memories_of(session, conversation)
    assert (str(memory.id), memory.memory_sequence) == (stored["memory_id"], stored["memory_sequence"])
    assert (memory.compressed_content, memory.original_message_range) == ("They met.", "1-2")
    assert result(f"{MODULES}/test-script", about | {"script": script})["outputs"]["stored"]["success"]
    module("keeper", script, execution_context="IMMEDIATE")
    result(RESOLVE, about | {"template": "@keeper"})
    assert len(memories_of(session, conversation)) == 1


@pytest.mark.capability("C50")
def test_a_script_is_tried_without_being_saved(client, result):
    found = result(f"{MODULES}/test-script", {"script": "ctx.set_variable('hour', 9)", "content": "It is ${hour}."})
    assert (found["success"], found["resolved_content"], found["outputs"]) == (True, "It is 9.", {"hour": 9})
    assert client.get(MODULES).json["total"] == 0


@pytest.mark.capability("C50")
def test_a_script_that_never_ends_is_stopped_and_says_so(result):
    found = result(f"{MODULES}/test-script", {"script": "while True: pass"})
    assert not found["success"]
    assert "TimeoutError" in found["error"]


@pytest.mark.capability("C51")
def test_every_function_of_the_context_is_listed(client):
    found = client.get(f"{MODULES}/plugin-functions").json
    by_name = {function["name"]: function for function in found["functions"]}
    assert found["total_count"] == len(by_name)
    function = by_name["get_relative_time"]
    assert function["signature"].startswith("ctx.get_relative_time(minutes_offset")
    assert function["docstring"]
    assert function["parameters"][1] == {"name": "format", "type": "str", "default": "%H:%M", "required": False}


@pytest.mark.capability("C186")
def test_a_run_that_is_sent_twice_is_one(client, module, session):
    path = f"{MODULES}/{module('echo', 'x = 1')}/run{LATER}"
    first, second = (client.post(path, json={}, headers=KEY) for _ in range(2))
    assert (first.json, first.headers["Location"]) == (second.json, second.headers["Location"])
    assert session.scalar(select(func.count()).select_from(ModuleExecution)) == 1


@pytest.mark.capability("C68")
def test_a_run_that_has_not_ended_has_no_result_yet(client, module):
    sent = client.post(f"{MODULES}/{module('echo', 'x = 1')}/run{LATER}", json={})
    found = client.get(sent.headers["Location"]).json
    assert (found["status"], found["purpose"], found["result"]) == ("PENDING", "run", None)


@pytest.mark.capability("C68")
def test_who_may_run_a_module_may_read_and_cancel_what_came_of_it(client_of, module):
    chatter, id = client_of("chat"), module("echo", "x = 1")
    where = chatter.post(f"{MODULES}/{id}/run{LATER}", json={}).headers["Location"]
    cancelled = chatter.post(f"{where}/cancel")
    assert (cancelled.status_code, cancelled.json["status"]) == (202, "CANCELLED")
    assert chatter.get(where).json["status"] == "CANCELLED"


@pytest.mark.capability("C50")
def test_who_may_try_a_script_may_read_and_cancel_what_came_of_it(client_of):
    writer = client_of("write")
    sent = writer.post(f"{MODULES}/test-script{LATER}", json={"script": "x = 1"})
    cancelled = writer.post(f"/api/v1/work/module_executions/{sent.json['id']}/cancel")
    assert (cancelled.status_code, cancelled.json["status"]) == (202, "CANCELLED")
    assert writer.get(sent.headers["Location"]).json["status"] == "CANCELLED"


@pytest.fixture
def waiting(database_url):
    """Try a script from another thread, waiting for the result; yields what will be answered."""
    app = create_app(settings_for_tests())
    with get_session() as session:
        key = keys.add(session, DEFAULT_SCOPE, name="test", scopes=[Permission.WRITE]).key
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(client_with(app, key).post, f"{MODULES}/test-script", json={"script": "hour = 9"})


@pytest.mark.capability("C50")
def test_who_waits_is_answered_with_the_result(waiting):
    with get_session() as session:
        until(lambda: run_modules(session))
    answer = waiting.result(30)
    assert (answer.status_code, answer.json["outputs"]) == (200, {"hour": 9})


@pytest.mark.parametrize(
    ("status", "failures", "code"),
    [
        pytest.param(RunStatus.FAILED, on_demand.ATTEMPTS, 503, id="a model that stayed away"),
        pytest.param(RunStatus.FAILED, 1, 502, id="a failure for good"),
        pytest.param(RunStatus.CANCELLED, 0, 409, id="a cancel"),
    ],
)
def test_who_waits_is_told_that_there_will_be_no_result(waiting, status, failures, code):
    with get_session() as session:
        claim = until(lambda: take(session, ModuleExecution, "modules"))
        session.get_one(ModuleExecution, claim.id).retry = max(failures - 1, 0)
        session.flush()
        settle(session, claim, status, "the reason")
    answer = waiting.result(30)
    assert (answer.status_code, "Retry-After" in answer.headers) == (code, code == 503)
    assert status is RunStatus.CANCELLED or answer.json["error"] == "no result: the reason"


def test_a_run_that_cost_three_workers_is_not_worth_another_try(waiting):
    with get_session() as session:
        claim = until(lambda: take(session, ModuleExecution, "modules"))
        row = session.get_one(ModuleExecution, claim.id)
        row.crashes, row.lease_until = POISON_CRASHES - 1, func.clock_timestamp()
    with get_session() as session:
        engine.end_lost(session, ModuleExecution, claim.id)
    answer = waiting.result(30)
    assert (answer.status_code, answer.json["error"]) == (502, f"no result: {POISON}")


@pytest.mark.capability("C68")
def test_who_can_wait_no_longer_is_told_where_to_ask(leaving, waiting):
    answer = waiting.result(30)
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(f"/{answer.json['id']}")


@pytest.mark.capability("C186")
def test_who_asks_again_after_a_broken_connection_gets_the_result(leaving, client, module, session):
    path = f"{MODULES}/{module('clock', 'hour = 9')}/run"
    assert client.post(path, json={}, headers=KEY).status_code == 202
    run_modules(session)
    again = client.post(path, json={}, headers=KEY)
    assert (again.status_code, again.json["outputs"]) == (200, {"hour": 9})
