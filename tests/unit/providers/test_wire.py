"""OpenAI's chat wire, without a wire."""

import pytest

from shared.domain.text import make_storable
from shared.errors import Transient
from shared.providers.chat.answers import MAX_EVENT_BYTES, Event, read_events
from shared.providers.chat.thinking import Revoked, Text, Thinking, ThinkSplitter
from shared.providers.chat.wire import ChatControls, ChatMessage, End, ReplyReader, chat_request

PROMPT = [ChatMessage("user", "hello")]


def split(*pieces: str) -> tuple[str, str]:
    splitter = ThinkSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    events += splitter.flush()
    text = thought = ""
    for event in events:
        match event:
            case Text(said):
                text += said
            case Thinking(said):
                thought += said
            case Revoked():
                text, thought = "", thought + text
    return thought, text


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param("just text", ("", "just text"), id="no tag"),
        pytest.param("<think>why</think>\n\nbecause", ("why", "because"), id="a leading tag"),
        pytest.param("  <think>\nwhy</think>x", ("why", "x"), id="after white space"),
        pytest.param("a <think>b</think>c", ("b", "a c"), id="a tag in the middle"),
        pytest.param("<think>a</think>b\n<thinking>c</thinking>d", ("ac", "b\nd"), id="a second thought"),
        pytest.param("<thought>a</thought>b", ("a", "b"), id="thought"),
        pytest.param("<reasoning>a</reasoning>b", ("a", "b"), id="reasoning"),
        pytest.param("I greet.</think>\n\nHello.", ("I greet.", "Hello."), id="only the end of a tag"),
        pytest.param(
            "Write `<think>` so:\n```\n</think>\n```", ("", "Write `<think>` so:\n```\n</think>\n```"), id="code"
        ),
        pytest.param(
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
            ("a", "b"),
            id="channels",
        ),
        pytest.param("1 < 2 <| 3", ("", "1 < 2 <| 3"), id="what only begins as a mark"),
        pytest.param("<think>never closed", ("never closed", ""), id="without an end"),
        pytest.param("<think>a < b </thin</think>c", ("a < b </thin", "c"), id="what resembles the end"),
        pytest.param("<th", ("", "<th"), id="a beginning that comes to nothing"),
        pytest.param("", ("", ""), id="nothing"),
    ],
)
def test_a_leading_think_tag_is_told_from_text_however_it_is_cut(reply: str, expected: tuple[str, str]) -> None:
    assert split(reply) == expected
    assert split(*reply) == expected


def test_text_is_not_held_back_once_it_cannot_be_a_tag() -> None:
    assert list(ThinkSplitter().feed("He")) == [Text("He")]


def test_events_survive_any_cut_of_the_bytes() -> None:
    wire = '\ufeffdata: {"a": "țară"}\r\n\r\n: comment\n\ndata:x\u2028y\n\ndata: [DONE]\n\n'.encode()
    pieces = [wire[i : i + 1] for i in range(len(wire))]
    assert [event.data for event in read_events(pieces)] == ['{"a": "țară"}', "x\u2028y", "[DONE]"]


def test_an_event_has_its_kind_and_passes_it_to_no_other() -> None:
    wire = b"event: error\ndata: a\n\nevent: ping\n\ndata: b\n\n"
    assert list(read_events([wire])) == [Event("a", "error"), Event("b")]


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(Transient):
        list(read_events([b"data: "] + [b"x" * (1 << 20)] * (MAX_EVENT_BYTES // (1 << 20) + 1)))


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "thinking"])
def test_reasoning_fields_are_thinking(field: str) -> None:
    chunk = {"choices": [{"delta": {field: "hm", "content": "yes"}}]}
    assert list(ReplyReader().read(chunk)) == [Thinking("hm"), Text("yes")]


@pytest.mark.parametrize(
    ("said", "cleaned"),
    [
        pytest.param("a\0b", "ab", id="NUL"),
        pytest.param("\ud83d\ude00", "😀", id="a pair"),
        pytest.param("\ud83d", "\ufffd", id="a first half"),
        pytest.param("\ude00x", "\ufffdx", id="a second half"),
        pytest.param("\ud83d\ud83d\ude00", "\ufffd😀", id="a half before a pair"),
        pytest.param("țară 😀", "țară 😀", id="nothing wrong"),
    ],
)
def test_text_of_a_model_can_be_stored_however_it_is_cut(said: str, cleaned: str) -> None:
    assert make_storable(said) == cleaned
    for field in ("content", "reasoning"):
        assert [read_text(field, said), read_text(field, *said)] == [cleaned, cleaned]


def read_text(field: str, *pieces: str) -> str:
    reader = ReplyReader()
    chunks = [{"choices": [{"delta": {field: piece}, "finish_reason": "stop"}]} for piece in pieces]
    events = [event for chunk in chunks for event in reader.read(chunk)] + list(reader.end())
    return "".join(event.text for event in events if isinstance(event, Text | Thinking))


def test_a_character_in_two_chunks_is_one() -> None:
    assert read_text("content", "\ud83d", "\ude00!") == "😀!"


def test_a_finish_reason_can_be_stored() -> None:
    reader = ReplyReader()
    list(reader.read({"choices": [{"delta": {}, "finish_reason": "st\0op\ud83d"}]}))
    assert list(reader.end()) == [End("stop\ufffd", None, None)]


def test_the_end_has_the_reason_and_the_usage_of_whichever_chunk_carries_them() -> None:
    reader = ReplyReader()
    list(reader.read({"choices": [{"delta": {}, "finish_reason": "length"}]}))
    list(reader.read({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}))
    assert list(reader.end()) == [End("length", 3, 5)]


def test_a_stream_without_a_finish_reason_broke_off() -> None:
    with pytest.raises(Transient):
        list(ReplyReader().end())


def test_what_is_not_set_is_left_to_the_provider() -> None:
    request = chat_request(PROMPT, ChatControls(), "some-model")
    assert set(request) == {"model", "messages", "stream", "stream_options"}


@pytest.mark.parametrize("name", ["o1-mini", "openai/o3", "o4-mini", "gpt-5.1", "grok-reasoning", "qwen3-thinking"])
def test_reasoning_models_take_length_and_effort_under_other_names(name: str) -> None:
    request = chat_request(PROMPT, ChatControls(model=name, max_tokens=7, reasoning_effort="low"), "other")
    assert (request["model"], request["max_completion_tokens"], request["reasoning_effort"]) == (name, 7, "low")
    assert "max_tokens" not in request


@pytest.mark.parametrize("name", ["gpt-4o", "llama-3-70b", "yolo1b", "smollm2"])
def test_other_models_take_their_length_as_ever(name: str) -> None:
    request = chat_request(PROMPT, ChatControls(max_tokens=7, reasoning_effort="low"), name)
    assert (request["max_tokens"], request.keys() & {"max_completion_tokens", "reasoning_effort"}) == (7, set())


def test_controls_become_options() -> None:
    schema = {"type": "object"}
    controls = ChatControls(temperature=0.0, max_tokens=7, stop=["x"], json_schema=schema, extra={"top_k": 4})
    request = chat_request(PROMPT, controls, "some-model")
    assert (request["temperature"], request["max_tokens"], request["stop"], request["top_k"]) == (0.0, 7, ["x"], 4)
    assert request["response_format"]["json_schema"]["schema"] == schema
    assert chat_request(PROMPT, ChatControls(json_mode=True), "m")["response_format"] == {"type": "json_object"}
