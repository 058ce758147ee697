"""The five stages of a turn over the real processes: what a module does is seen in what the model is told."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import eventually, until
from tests.system.client import Client
from tests.system.conftest import RunningStack

Talk = Callable[..., str]
ENDED = ("COMPLETED", "FAILED", "CANCELLED")


def send(client: Client, messages: str, content: str) -> dict[str, Any]:
    """Send a message and return its turn, once replied to."""
    turn = client.post(messages, {"content": content}, 202)
    return eventually(lambda: client.get(f"turns/{turn['id']}"), lambda turn: turn["status"] in ENDED)


def trace_of(client: Client, turn: dict[str, Any], executions: int = 0) -> dict[str, Any]:
    """Return a turn's trace, once so many modules ran after its reply."""
    return eventually(
        lambda: client.get(f"turns/{turn['id']}/trace")["trace"],
        lambda trace: len(trace.get("executions", [])) == executions,
    )


def told(model: FakeOpenAI) -> list[str]:
    """Return the system text of each request for a reply, in order."""
    bodies = [request["body"] for request in model.requests if "messages" in request["body"]]
    return [body["messages"][0]["content"] for body in bodies]


@pytest.mark.capability("C60")
@pytest.mark.capability("C69")
def test_a_script_before_the_reply_is_seen_by_the_model_and_in_the_trace(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    clock = module("ctx.set_variable('day', ctx.get_day_of_week())", content="Today is ${day}.")
    turn = send(client, talk(f"You are Ada. {clock}"), "Hello")
    trace = trace_of(client, turn)
    assert told(model)[-1] == trace["stages"][0]["text"]
    assert trace["stages"][0]["text"].startswith("You are Ada. Today is ")
    assert trace["stages"][0]["text"].endswith("day.")
    assert {"ai", "other", "total"} <= set(trace["seconds"])
    assert trace["warnings"] == []


@pytest.mark.parametrize("context", ["IMMEDIATE", "POST_RESPONSE"])
def test_a_pattern_whose_search_is_stopped_is_a_warning_of_the_turn(
    client: Client, module: Callable[..., str], talk: Talk, context: str
) -> None:
    slow = module("pass", execution_context=context, trigger_pattern="(a|aa)+$")
    trace = trace_of(client, send(client, talk(f"You are Ada. {slow}"), "a" * 60 + "!"))
    assert [warning["warning_type"] for warning in trace["warnings"]] == ["trigger_not_searched"]


@pytest.mark.capability("C61")
def test_a_script_asks_the_model_once_before_the_reply(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    model.script(Rule(match="Name the mood", text="cheerful"))
    mood = module("mood = ctx.generate('Name the mood', ctx.last_user_message)", content="Mood: ${mood}.")
    turn = send(client, talk(f"You are Ada. {mood}"), "What a day!")
    side, main = told(model)
    assert side == f"You are Ada. {mood}"
    assert main == "You are Ada. Mood: cheerful."
    assert trace_of(client, turn)["stages"][1]["modules"][0]["ai_calls"] == 1


@pytest.mark.capability("C62")
@pytest.mark.capability("C64")
@pytest.mark.capability("C65")
def test_what_a_module_counts_after_a_reply_is_told_in_the_next_turn(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    script = "ctx.set_variable('seen', ctx.get_variable('seen', 0) + 1)\nlast_output = ctx.ai_response"
    counter = module(script, context="POST_RESPONSE", content="Seen ${seen} after '${last_output}'.")
    messages = talk(f"You are Ada. {counter}")
    turns = [send(client, messages, content) for content in ("One", "Two", "Three")]
    assert told(model) == [
        "You are Ada. ",
        "You are Ada. Seen 1 after 'You said: One'.",
        "You are Ada. Seen 2 after 'You said: Two'.",
    ]
    (run,) = trace_of(client, turns[-1], executions=1)["executions"]
    assert (run["stage"], run["status"], run["variables"]["seen"]) == (4, "ok", 3)


@pytest.mark.capability("C62")
def test_a_module_after_a_reply_knows_its_stage_and_the_replys_metadata(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    script = (
        "told = [stage, stage_name, response_metadata['output_tokens'] is not None, module_name == ctx.module_name]"
    )
    counter = module(script, context="POST_RESPONSE", content="${told}")
    turn = send(client, talk(f"You are Ada. {counter}"), "One")
    (run,) = trace_of(client, turn, executions=1)["executions"]
    assert (run["status"], run["variables"]["told"]) == ("ok", [4, "Stage 4: post-response", True, True])


@pytest.mark.capability("C63")
def test_a_script_asks_the_model_once_after_the_reply_and_knows_what_stage_4_found(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    model.script(Rule(match="Sum it up", text="A short talk."))
    first = module("count = ctx.get_message_count()", context="POST_RESPONSE", content="${count}")
    second = module("summary = ctx.generate('Sum it up')", context="POST_RESPONSE", content="So far: ${summary}")
    messages = talk(f"You are Ada. {first} {second}")
    turn = send(client, messages, "One")
    assert {run["stage"] for run in trace_of(client, turn, executions=2)["executions"]} == {4, 5}
    main, side = told(model)
    assert main == "You are Ada.  "
    assert side.startswith(main)
    assert side.endswith('Current context:\n{"%s": {"count": 2}}' % first[1:])  # noqa: UP031
    trace_of(client, send(client, messages, "Two"), executions=2)
    assert told(model)[2] == "You are Ada. 2 So far: A short talk."


@pytest.mark.capability("C162")
def test_listeners_hear_how_modules_after_the_reply_ended_and_a_cut_stream_goes_on_there(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    model.script(Rule(match="Sum it up", text="A short talk."))
    modules = [module(script, context="POST_RESPONSE") for script in ("count = 1", "said = ctx.generate('Sum it up')")]
    messages = talk(f"You are Ada. {' '.join(modules)}")
    with client.streaming("POST", messages, json={"content": "One"}) as events:
        heard = list(events)
    assert [event.kind for event in heard[-4:]] == ["message", "post_response", "post_response", "done"]
    assert [event.data for event in heard[-3:-1]] == [
        {"module": name[1:], "stage": stage, "status": "ok"} for name, stage in zip(modules, (4, 5), strict=True)
    ]
    path = f"turns/{heard[0].data['turn_id']}/events"
    for cut in (-4, -3, -2):
        with client.streaming("GET", path, after=heard[cut].id) as events:
            assert list(events) == heard[cut + 1 :]


@pytest.mark.capability("C66")
@pytest.mark.capability("C71")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("1 / 0", id="an error"),
        pytest.param("if", id="no Python"),
        pytest.param("while True: pass", id="an endless loop"),
        pytest.param("result = ['x'] * 10**9", id="a list of gigabytes"),
    ],
)
@pytest.mark.parametrize(("context", "executions"), [("IMMEDIATE", 0), ("POST_RESPONSE", 1)])
def test_a_module_that_fails_is_a_warning_and_the_reply_comes(
    client: Client, module: Callable[..., str], talk: Talk, script: str, context: str, executions: int
) -> None:
    turn = send(client, talk(f"You are Ada. {module(script, context=context)}"), "Hello")
    assert turn["status"] == "COMPLETED"
    trace = trace_of(client, turn, executions)
    assert [warning["warning_type"] for warning in trace["warnings"]] == ["execution_error"] * (1 - executions)
    assert [run["status"] for run in trace.get("executions", [])] == ["failed"] * executions


@pytest.mark.capability("C63")
@pytest.mark.capability("C65")
def test_a_worker_killed_while_modules_run_leaves_each_state_once(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk, stack: RunningStack
) -> None:
    model.script(Rule(match="Take your time", tokens=["word "] * 40, token_delay=0.3))
    count = "ctx.set_variable('seen', ctx.get_variable('seen', 0) + 1)"
    first = module(count, context="POST_RESPONSE", content="${seen}")
    second = module(f"{count}\nctx.generate('Take your time')", context="POST_RESPONSE", content="${seen}")
    messages = talk(f"You are Ada. {first} {second}")
    turn = send(client, messages, "One")
    until(lambda: len(told(model)) == 2 and model.open_streams)
    stack.commands.kill("worker-threads")
    model.script()
    runs = trace_of(client, turn, executions=2)["executions"]
    assert [(run["stage"], run["variables"]) for run in runs] == [(4, {"seen": 1}), (5, {"seen": 1})]
    trace_of(client, send(client, messages, "Two"), executions=2)
    assert "You are Ada. 1 1" in told(model)


@pytest.mark.capability("C57")
def test_a_template_is_resolved_in_a_worker_without_a_turn(
    client: Client, model: FakeOpenAI, module: Callable[..., str]
) -> None:
    model.script(Rule(match="Name the mood", text="cheerful"))
    mood = module("mood = ctx.generate('Name the mood', ctx.last_user_message)", content="Mood: ${mood}.")
    body = {"template": f"You are Ada. {mood} @absent", "message": "What a day!"}
    found = client.post("templates/resolve", body, 200)
    assert found["resolved_template"] == "You are Ada. Mood: cheerful. @absent"
    assert found["resolved_modules"] == [mood[1:]]
    assert [warning["module_name"] for warning in found["warnings"]] == ["absent"]
    assert told(model) == [f"You are Ada. {mood} @absent"]


@pytest.mark.capability("C68")
def test_a_module_on_demand_runs_when_it_is_asked_for_and_in_no_other_turn(
    client: Client, model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    oracle = module("answer = 'to ' + ctx.last_user_message", context="ON_DEMAND", trigger_pattern="oracle")
    messages = talk(f"You are Ada.{oracle}")
    for content in ("Hello", "Ask the oracle"):
        send(client, messages, content)
    assert told(model) == ["You are Ada.", "You are Ada.to Ask the oracle"]
    (id,) = [found["id"] for found in client.get("modules?limit=500")["items"] if f"@{found['name']}" == oracle]
    found = client.post(f"modules/{id}/run", {"message": "Whom?"}, 200)
    assert (found["success"], found["resolved_content"]) == (True, "to Whom?")


@pytest.mark.capability("C75")
def test_what_modules_remember_before_and_after_a_reply_is_remembered_once(
    client: Client, module: Callable[..., str], talk: Talk
) -> None:
    script = "ctx.store_memory('{} ' + ctx.last_user_message, '1-2')"
    before = module(script.format("before"))
    after = module(script.format("after"), context="POST_RESPONSE")
    messages = talk(f"You are Ada. {before} {after}")
    trace_of(client, send(client, messages, "Hello"), executions=1)
    memories = client.get(messages.replace("messages", "memories"))["items"]
    assert [memory["compressed_content"] for memory in memories] == ["before Hello", "after Hello"]
