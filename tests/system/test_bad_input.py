"""What people and models send that they should not, over the real processes: a reply comes all the same."""

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.system.client import Client, text_of
from tests.system.test_stages import Talk, send, trace_of
from tests.system.test_talking import messages_of


def test_half_a_character_of_a_model_is_replaced_in_the_stream_and_in_the_row(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="coffee", tokens=["caf\udcc3", " cr", "\udca8me"]))  # the first byte of é, the last of è
    with client.streaming("POST", conversation, json={"content": "coffee?"}) as events:
        heard = list(events)
    assert text_of(heard) == "caf\ufffd cr\ufffdme"
    assert messages_of(client, conversation)[1]["content"] == "caf\ufffd cr\ufffdme"


def test_a_template_that_names_no_module_of_ours_is_told_as_it_is_with_a_warning(
    client: Client, model: FakeOpenAI, talk: Talk
) -> None:
    turn = send(client, talk("You are Ada. @nobody_wrote_this"), "Hello")
    assert turn["status"] == "COMPLETED"
    trace = trace_of(client, turn)
    assert trace["messages"][0]["content"] == "You are Ada. @nobody_wrote_this"
    assert [(warning["module_name"], warning["stage"]) for warning in trace["warnings"]] == [("nobody_wrote_this", 1)]


def test_a_slow_model_delays_no_other_conversation(client: Client, model: FakeOpenAI, talk: Talk) -> None:
    model.script(Rule(match="patience", first_delay=15.0))
    slow = client.post(talk("You are Slow."), {"content": "patience"}, 202)
    assert send(client, talk("You are Ada."), "Hello")["status"] == "COMPLETED"
    assert client.get(f"turns/{slow['id']}")["status"] == "RUNNING"
    client.post(f"turns/{slow['id']}/cancel", status=202)
