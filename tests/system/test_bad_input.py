"""What people and models send that they should not, over the real processes: a reply comes all the same."""

import json
import socket
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import DEADLINE
from tests.system.client import Client, text_of
from tests.system.conftest import RunningStack
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


def raw(stack: RunningStack, sent: str) -> tuple[int, dict[str, Any]]:
    """Send bytes that no client library would; return the status and the JSON of the answer."""
    url = urlsplit(stack.status["gateway"]["url"])
    with socket.create_connection((url.hostname, url.port), DEADLINE) as wire:
        wire.sendall(sent.format(key=stack.status["api_key"]).encode())
        answer = HTTPResponse(wire)
        answer.begin()
        return answer.status, json.loads(answer.read())


CHUNKED = (
    "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {{key}}\r\n"
    "Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
)
FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET /api/v1/personas?q=" + "x" * 5000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET /health HTTP/1.1\r\nHost: a\r\nX-Long: " + "x" * 9000 + "\r\n\r\n", 431),
        ("GET /health HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        (CHUNKED.format(path="/api/v1/users", kind="application/json", body="ZZ\r\n{{}}\r\n0\r\n\r\n"), 400),
        (CHUNKED.format(path="/api/v1/users", kind="application/json", body="2\r\n{{}}xx0\r\n\r\n"), 400),
        (CHUNKED.format(path="/api/v1/document/ingest-document", kind=FORM, body="ZZ\r\n--x\r\n0\r\n\r\n"), 400),
    ],
    ids="address headers version nonsense chunk end-of-chunk form".split(),
)
def test_what_the_server_refuses_has_the_one_shape(stack: RunningStack, sent: str, status: int) -> None:
    answered, body = raw(stack, sent)
    assert (answered, body["status_code"]) == (status, status), body
    assert set(body) == {"error", "error_type", "status_code", "timestamp", "correlation_id"}
    assert "<" not in body["error"]
