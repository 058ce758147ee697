"""Chat servers that are not quite OpenAI's: adapted to where a refusal tells how, else told of in words that help."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import PersonaeError, Rejected, Transient, Unavailable
from shared.providers.chat.answers import MAX_EVENT_BYTES
from shared.providers.chat.chat import Reply, complete
from shared.providers.chat.http_chat import LONGEST_REPLY, HttpChat
from shared.providers.chat.wire import ChatControls, ChatMessage
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule

PROMPT = [ChatMessage("system", "You are brief."), ChatMessage("user", "hello there")]
STREAM = {"Content-Type": "text/event-stream"}
JSON = {"Content-Type": "application/json"}
GZIP = STREAM | {"Content-Encoding": "gzip"}
SECRET = "acct-17"


@pytest.fixture
def chat(openai: FakeOpenAI) -> Iterator[HttpChat]:
    with HttpChat(openai.url, "fake-chat", timeout=5) as chat:
        yield chat


def ask(chat: HttpChat, **controls: Any) -> Reply:
    return complete(chat, PROMPT, ChatControls(**controls))


def event(content: str, reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


def packed(body: str) -> str:
    return gzip.compress(body.encode()).decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("refuses", "error"),
    [
        pytest.param(
            '"max_tokens"',
            "Unsupported parameter: 'max_tokens' is not supported here. Use 'max_completion_tokens' instead.",
            id="the length's name",
        ),
        pytest.param('"max_tokens"', "Unrecognized request argument supplied: max_tokens", id="no name told"),
        pytest.param('"stream_options"', "stream_options: Extra inputs are not permitted", id="the usage"),
        pytest.param('"stream"', "streaming is not supported by this model", id="streaming"),
        pytest.param('"system"', "System role not supported", id="the system's role"),
        pytest.param('"system"', "Only user and assistant roles are supported!", id="the roles"),
        pytest.param('"system"', "Conversation roles must alternate user/assistant/user/...", id="the order of roles"),
        pytest.param('"system"', "Developer instruction is not enabled for models/gemma-3", id="Gemini's words"),
        pytest.param('"max_tokens"|"system"|"stream"', "no system role; max_tokens and stream unsupported", id="three"),
    ],
)
def test_what_a_refusal_names_is_asked_for_otherwise_and_remembered(
    openai: FakeOpenAI, chat: HttpChat, refuses: str, error: str
) -> None:
    openai.script(Rule(match="hello", refuses=refuses, status=400, error=error, text="Adapted."))
    assert ask(chat, max_tokens=50).text == "Adapted."
    asked = len(openai.requests)
    assert ask(chat, max_tokens=50).end.left_out == ()
    assert len(openai.requests) == asked + 1


def test_a_model_of_many_thoughts_behind_a_server_of_few_names_gets_its_length_by_the_old_one(
    openai: FakeOpenAI, chat: HttpChat
) -> None:
    openai.script(Rule(refuses="max_completion", status=422, error="unknown field max_completion_tokens", text="Yes."))
    assert ask(chat, model="o3-mini", max_tokens=50).text == "Yes."
    assert openai.requests[-1]["body"]["max_tokens"] == 50


def test_nothing_of_the_persona_is_lost_where_it_may_not_be_the_systems(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(refuses='"system"', status=500, error="Jinja Exception: System role not supported", text="Yes."))
    ask(chat)
    assert openai.requests[-1]["body"]["messages"] == [{"role": "user", "content": "You are brief.\n\nhello there"}]


@pytest.mark.parametrize("name", ["temperature", "top_p", "seed", "presence_penalty"])
def test_an_option_that_is_not_taken_is_left_out_and_told_with_each_reply(
    openai: FakeOpenAI, chat: HttpChat, name: str
) -> None:
    error = f"Unsupported value: '{name}' does not support this value with this model. Only the default is supported."
    openai.script(Rule(refuses=f'"{name}"', status=400, error=error, text="Without."))
    assert [ask(chat, **{name: 1}).end.left_out for _ in range(2)] == [(name,)] * 2
    assert ask(chat).end.left_out == ()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param("temperature must be at most 1", "temperature as it was set: leave it out", id="out of range"),
        pytest.param("max_tokens is too large: 400 > 256", "set PERSONAE_CHAT_MAX_TOKENS", id="too long a reply"),
        pytest.param("Unsupported parameter: stop", "stop as it was set", id="what changes the reply"),
        pytest.param("maximum context length is 512", "lower PERSONAE_CHAT_CONTEXT_TOKENS", id="too long a prompt"),
        pytest.param("the model acct-17/x does not exist", "no such model: check PERSONAE_CHAT_MODEL", id="no model"),
        pytest.param("System role not supported", "choose another model, PERSONAE_CHAT_MODEL", id="no system"),
    ],
)
def test_a_refusal_that_nothing_can_be_done_about_is_told_by_what_it_names(
    openai: FakeOpenAI, chat: HttpChat, error: str, reason: str
) -> None:
    openai.script(Rule(status=400, error=error))
    assert reason in failure(chat, Rejected, temperature=2.0, max_tokens=400, stop=["x"])


def failure(chat: HttpChat, kind: type[PersonaeError], **controls: Any) -> str:
    with pytest.raises(kind) as told:
        ask(chat, **controls)
    assert type(told.value) is kind
    assert SECRET not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("rule", "kind", "reason"),
    [
        pytest.param(Rule(body="<html><title>Login</title>"), Rejected, "web page", id="a login page"),
        pytest.param(Rule(body="\n<!DOCTYPE html>", headers=STREAM), Rejected, "web page", id="a page as a stream"),
        pytest.param(Rule(body="Please log in"), Rejected, "plain text", id="plain text"),
        pytest.param(Rule(body="Service is starting up"), Transient, "still loading", id="text of a start"),
        pytest.param(
            Rule(body='{"message":{"content":"a"},"done":false}\n{"done":true}\n'), Rejected, "/v1 behind", id="Ollama"
        ),
        pytest.param(Rule(body='{"model":"m","response":"a","done":true}'), Rejected, "/v1 behind", id="Ollama, whole"),
        pytest.param(Rule(body='data: {"candidates":[]}\n\n', headers=STREAM), Rejected, "Gemini", id="Gemini"),
        pytest.param(Rule(body='[{"candidates":[]}]', headers=JSON), Rejected, "Gemini", id="Gemini, a list"),
        pytest.param(Rule(body='{"detail":"Model is still loading, 43%"}'), Transient, "still loading", id="loading"),
        pytest.param(Rule(body='{"detail":"acct-17"}'), Rejected, "`detail`", id="no reply at all"),
        pytest.param(Rule(body='{"data":[],"object":"list"}'), Rejected, "list of models", id="another path"),
        pytest.param(
            Rule(body='{"error":{"message":"quota of acct-17 is used up","type":"insufficient_quota","code":402}}'),
            Rejected,
            "no credit",
            id="an error under success",
        ),
        pytest.param(Rule(body='{"error":"invalid api key acct-17"}'), Rejected, "API_KEY", id="an error in words"),
        pytest.param(Rule(body='{"code":429,"msg":"acct-17"}'), Transient, "busy", id="a code in place of choices"),
        pytest.param(Rule(body='{"object":"error","message":"x"}'), Unavailable, "failed", id="an error by its name"),
        pytest.param(
            Rule(body=event("Half") + 'event: error\ndata: {"message":"acct-17","code":529}\n\n'),
            Unavailable,
            "failed with 529",
            id="an event named error",
        ),
        pytest.param(
            Rule(body='event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
            Unavailable,
            "failed with 503",
            id="Anthropic's error",
        ),
        pytest.param(
            Rule(body="event: error\ndata: too many requests\n\n"), Transient, "too busy", id="an error as text"
        ),
        pytest.param(Rule(status=307, headers={"Location": "/a"}, body=""), Rejected, "CHAT_URL to that", id="307"),
        pytest.param(Rule(status=308, headers={"Location": "/a"}, body=""), Rejected, "CHAT_URL to that", id="308"),
        pytest.param(Rule(status=302, headers={"Location": "/a"}, body="<p>"), Rejected, "redirects", id="302"),
        pytest.param(Rule(status=405, error="no"), Rejected, "PERSONAE_CHAT_URL", id="405"),
        pytest.param(Rule(body=event("Plain", "stop"), headers=GZIP), Rejected, "compression off", id="a gzip lie"),
        pytest.param(
            Rule(body=packed(event("a"))[:-12], headers=GZIP), Transient, "without a word", id="half of a gzip"
        ),
        pytest.param(Rule(body=event("Half") + event("a")[:-9]), Transient, "broke off", id="half of an event"),
        pytest.param(Rule(body='{"choices": [{"mess'), Transient, "broke off", id="half of an object"),
        pytest.param(Rule(body="null"), Rejected, "null in JSON", id="null"),
        pytest.param(Rule(body="42", headers=JSON), Rejected, "a number in JSON", id="a number"),
        pytest.param(Rule(body='["a"]', headers=JSON), Rejected, "words in JSON", id="a list"),
        pytest.param(Rule(body="data: null\n\n", headers=STREAM), Rejected, "null in JSON", id="null as an event"),
        pytest.param(Rule(body='{"choices":[3]}', headers=JSON), Rejected, "OpenAI's form", id="choices of numbers"),
        pytest.param(Rule(body="[" * 200_000), Rejected, "no JSON", id="deep brackets"),
        pytest.param(Rule(body=f"data: {'[' * 200_000}\n\n"), Rejected, "no JSON", id="deep brackets as an event"),
        pytest.param(
            Rule(body=f'data: {{"choices":[{{"delta":{{"content":{"[" * 900}{"]" * 900}}}}}]}}\n\n'),
            Rejected,
            "OpenAI's form",
            id="deep content",
        ),
        pytest.param(Rule(body="data: " + "x" * MAX_EVENT_BYTES + "x"), Transient, "4 MiB", id="a long line"),
        pytest.param(Rule(body=": " + "x" * MAX_EVENT_BYTES * 2), Transient, "4 MiB", id="a long comment"),
        pytest.param(Rule(body='{"a": "' + "x" * MAX_EVENT_BYTES + '"}'), Transient, "4 MiB", id="a long object"),
        pytest.param(Rule(body="", headers=STREAM), Transient, "without a word", id="nothing"),
        pytest.param(Rule(body=": ping\n\n", headers=STREAM), Transient, "without a word", id="comments only"),
        pytest.param(Rule(body="", headers=STREAM, missing=9), Transient, "broke the connection", id="headers only"),
        pytest.param(Rule(body=event("Half"), missing=9), Transient, "broke the connection", id="half a reply"),
        pytest.param(Rule(body=event("Half", "error")), Transient, "broke off", id="a reason that is an error"),
    ],
)
def test_what_is_no_reply_is_told_in_words_that_help(
    openai: FakeOpenAI, chat: HttpChat, rule: Rule, kind: type[PersonaeError], reason: str
) -> None:
    openai.script(rule)
    assert reason in failure(chat, kind)


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/json", "application/octet-stream", ""])
def test_a_wrong_content_type_loses_nothing(openai: FakeOpenAI, chat: HttpChat, kind: str) -> None:
    whole = json.dumps({"choices": [{"message": {"content": "Read."}}]})
    for body in (event("Read.", "stop"), whole, f"\ufeff\n{whole}", whole.replace("message", "delta") + "\n"):
        openai.script(Rule(body=body, headers={"Content-Type": kind}))
        assert ask(chat).text == "Read."


def test_a_packed_stream_is_read(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(body=packed(event("Packed.", "stop")), headers=GZIP))
    assert ask(chat).text == "Packed."


def test_of_several_choices_the_first_is_the_reply(openai: FakeOpenAI, chat: HttpChat) -> None:
    both = [{"index": 1, "delta": {"content": "SECOND"}}, {"index": 0, "delta": {"content": "First"}}]
    other = [{"index": 1, "delta": {"content": " second"}, "finish_reason": "length"}]
    stream = "".join(f"data: {json.dumps({'choices': said})}\n\n" for said in (both, other))
    openai.script(Rule(body=stream + event(" ends.", "stop"), headers=STREAM))
    reply = ask(chat)
    assert (reply.text, reply.end.finish_reason) == ("First ends.", "stop")
    whole = [{"index": number, "message": {"content": said}} for number, said in ((1, "b"), (0, "a"))]
    openai.script(Rule(body=json.dumps({"choices": whole}), headers=JSON))
    assert ask(chat).text == "a"


@pytest.mark.parametrize(
    "delta",
    [
        pytest.param({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, id="details"),
        pytest.param({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}, id="a summary"),
        pytest.param({"reasoning": "hm", "reasoning_details": [{"text": "hm"}]}, id="twice the same"),
        pytest.param({"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}, id="blocks"),
        pytest.param({"reasoning": {"content": "hm"}}, id="an object"),
        pytest.param({"content": [{"thinking": "hm"}]}, id="a part without a type"),
        pytest.param({"content": [{"type": "thought", "text": "hm"}]}, id="a part by its type"),
        pytest.param({"content": [{"thought": True, "text": "hm"}]}, id="Gemini's mark"),
        pytest.param({"content": [{"type": "reasoning", "summary": [{"text": "hm"}]}]}, id="a part with a summary"),
    ],
)
def test_thoughts_are_never_mixed_into_the_text(openai: FakeOpenAI, chat: HttpChat, delta: dict[str, Any]) -> None:
    thought = f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n"
    openai.script(Rule(body=thought + event("Yes.", "stop"), headers=STREAM))
    reply = ask(chat)
    assert (reply.thinking, reply.text) == ("hm", "Yes.")


def test_a_reply_without_end_is_cut_and_its_connection_is_not_used_again(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(match="hello", body=event("word " * 100_000) * 3, headers=STREAM, times=1), Rule(text="Next."))
    reply = ask(chat)
    assert (reply.end.finish_reason, len(reply.text) > LONGEST_REPLY) == ("length", True)
    assert ask(chat).text == "Next."


@pytest.mark.parametrize(
    ("reason", "told"),
    [("length", "length"), ("MAX_TOKENS", "length"), ("model_length", "length"), ("SAFETY", "content_filter")],
)
def test_why_a_reply_ended_is_told_in_openais_words(openai: FakeOpenAI, chat: HttpChat, reason: str, told: str) -> None:
    openai.script(Rule(text="Cut in the mid", finish_reason=reason))
    assert ask(chat).end.finish_reason == told
