"""The shapes in which servers reply, over a transport that answers from memory."""

import json
import logging
from typing import Any

import httpx
import pytest

from shared.errors import PersonaeError, Rejected, Transient
from shared.providers.chat.chat import Reply, complete, require_text
from shared.providers.chat.http_chat import HttpChat
from shared.providers.chat.wire import OPENING, ChatMessage, End, alternating
from shared.providers.network.faults import MAX_SAID

KEY = "sk-very-secret-key-of-an-operator"
EVENTS = "text/event-stream"


def asked(body: str | bytes, *, kind: str = EVENTS, status: int = 200) -> Reply:
    """Return what a client reads out of one answer."""
    answer = httpx.MockTransport(lambda _: httpx.Response(status, content=body, headers={"content-type": kind}))
    with HttpChat("http://model/v1", "asked", api_key=KEY, transport=lambda: answer) as chat:
        return complete(chat, [ChatMessage("user", "hello")])


def events(*deltas: dict[str, Any], reason: str | None = "stop", done: bool = True) -> str:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    ends = [{"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}] if reason else []
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks + ends) + ("data: [DONE]\n\n" if done else "")


def test_content_may_be_a_list_of_parts() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}
    reply = asked(events({"content": [thought]}, {"content": [{"type": "text", "text": "Hello parts."}]}))
    assert (reply.text, reply.thinking) == ("Hello parts.", "hmm")


def test_a_message_in_place_of_a_delta_is_read() -> None:
    message = {"content": "Hello.", "thinking": "hmm"}
    reply = asked(f"data: {json.dumps({'choices': [{'message': message, 'finish_reason': 'stop'}]})}\n\n")
    assert (reply.text, reply.thinking) == ("Hello.", "hmm")


def test_a_server_that_does_not_stream_is_read() -> None:
    said = {"model": "real", "choices": [{"message": {"content": "Whole."}, "finish_reason": "stop"}]}
    reply = asked(json.dumps(said, indent=1), kind="application/json; charset=utf-8")
    assert (reply.text, reply.end.model) == ("Whole.", "real")


def test_events_under_the_name_of_json_are_read() -> None:
    assert asked(events({"content": "Hello."}), kind="application/json").text == "Hello."


def test_done_ends_a_reply_without_a_reason() -> None:
    assert asked(events({"content": "Whole answer."}, reason=None)).text == "Whole answer."


def test_neither_done_nor_a_reason_is_a_broken_stream() -> None:
    with pytest.raises(Transient, match="broke off"):
        asked(events({"content": "Half an"}, reason=None, done=False))


def test_a_thought_of_which_only_the_end_is_marked_is_no_text() -> None:
    reply = asked(events({"content": "I should greet.\n"}, {"content": "</think>"}, {"content": "\n\nHello there."}))
    assert (reply.text, reply.thinking.strip()) == ("Hello there.", "I should greet.")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_mark_before_the_events_and_any_line_end_lose_nothing(end: str) -> None:
    body = "\ufeff" + events({"content": "First."}, {"content": " Second."}).replace("\n", end)
    assert asked(body.encode()).text == "First. Second."


def test_an_event_may_have_several_data_lines() -> None:
    chunk = json.dumps({"choices": [{"delta": {"content": "two lines"}, "finish_reason": "stop"}]}, indent=1)
    assert asked("".join(f"data: {line}\n" for line in chunk.split("\n")) + "\n").text == "two lines"


def test_events_without_blank_lines_between_them_are_read() -> None:
    assert asked(events({"content": "a"}, {"content": "b"}).replace("\n\n", "\n")).text == "ab"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 502])
def test_what_a_provider_says_of_a_failure_is_for_the_log_only(status: int, caplog: pytest.LogCaptureFixture) -> None:
    said = "x" * (MAX_SAID - 10) + KEY
    with caplog.at_level(logging.WARNING), pytest.raises(PersonaeError) as failure:
        asked(said, status=status)
    assert "xxx" not in str(failure.value)
    logged = [record.__dict__["said"] for record in caplog.records if "said" in record.__dict__]
    assert logged
    assert KEY[:6] not in logged[0]


@pytest.mark.parametrize(
    ("end", "thinking", "reason"),
    [
        pytest.param(
            End("length", 1, 1), "hm", "thought until its limit and said nothing: raise max_tokens", id="limit"
        ),
        pytest.param(End("stop", 1, 1, refusal="not that"), "", "the model refused: not that", id="refusal"),
        pytest.param(End("tool_calls", 1, 1, tool="weather"), "", "called a tool, weather", id="tool"),
        pytest.param(End("content_filter", 1, 1), "", "content filter", id="filter"),
        pytest.param(End("stop", 1, 1), "", "said nothing", id="nothing"),
    ],
)
def test_a_reply_that_says_nothing_fails_with_its_reason(end: End, thinking: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        require_text(" \n", thinking, end)


def test_refusals_and_tool_calls_are_read() -> None:
    call = {"function": {"name": "weather", "arguments": "{}"}}
    assert asked(events({"refusal": "not "}, {"refusal": "that"})).end.refusal == "not that"
    assert asked(events({"tool_calls": [call]}, reason="tool_calls")).end.tool == "weather"


def test_a_refusal_and_the_names_of_tools_are_cut() -> None:
    calls = [{"function": {"name": "weather" * 1000, "arguments": "{}"}}] * 10
    assert len(asked(events(*[{"refusal": "not that" * 1000}] * 10)).end.refusal) == 10_000
    assert len(asked(events({"tool_calls": calls}, reason="tool_calls")).end.tool) == 10_000


def test_roles_alternate_and_nothing_empty_is_sent() -> None:
    said = [("system", "s"), ("assistant", "Welcome."), ("user", "a"), ("assistant", ""), ("user", "b")]
    sent = alternating([ChatMessage(role, content) for role, content in said])  # type: ignore[arg-type]
    assert [tuple(m) for m in sent] == [
        ("system", "s"),
        ("user", OPENING),
        ("assistant", "Welcome."),
        ("user", "a\n\nb"),
    ]
