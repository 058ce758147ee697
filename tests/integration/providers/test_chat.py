"""The chat provider against the scripted model, over real sockets."""

import threading
import time
from collections.abc import Iterator

import pytest

from deploy.local.data.ports import free_port
from shared.errors import Refused, Rejected, Transient, Unavailable
from shared.providers.chat.chat import complete
from shared.providers.chat.http_chat import HttpChat
from shared.providers.chat.thinking import Text
from shared.providers.chat.wire import ChatControls, ChatMessage, End
from shared.providers.network.outbound import Outbound
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import allowed, until

KEY = "sk-very-secret"
PROMPT = [ChatMessage("system", "be brief"), ChatMessage("user", "hello there")]


@pytest.fixture
def chat(openai: FakeOpenAI) -> Iterator[HttpChat]:
    with HttpChat(openai.url, "fake-chat", api_key=KEY, timeout=5) as chat:
        yield chat


def test_a_reply_streams_word_by_word_and_ends_with_its_usage(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(text="Good day to you"))
    with chat.stream(PROMPT) as stream:
        events = list(stream)
    assert [event.text for event in events if isinstance(event, Text)] == ["Good", " day", " to", " you"]
    assert events[-1] == End("stop", 4, 4, "fake-chat")
    assert openai.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.capability("C23")
@pytest.mark.parametrize(("model", "name"), [("gpt-4o", "max_tokens"), ("o3-mini", "max_completion_tokens")])
def test_a_server_gets_the_key_and_the_length_under_the_name_that_its_model_takes(
    openai: FakeOpenAI, chat: HttpChat, model: str, name: str
) -> None:
    complete(chat, PROMPT, ChatControls(model=model, max_tokens=7))
    (request,) = openai.requests
    assert request["headers"]["Authorization"] == f"Bearer {KEY}"
    assert {key: value for key, value in request["body"].items() if key.startswith("max_")} == {name: 7}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(text="yes", reasoning="let me see"), id="reasoning_content"),
        pytest.param(Rule(text="yes", reasoning="let me see", reasoning_field="reasoning"), id="reasoning"),
        pytest.param(Rule(tokens=["<th", "ink>let me", " see</thi", "nk>\n\n", "yes"]), id="think tags"),
    ],
)
def test_thinking_is_kept_apart_from_the_reply(openai: FakeOpenAI, chat: HttpChat, rule: Rule) -> None:
    openai.script(rule)
    reply = complete(chat, PROMPT)
    assert (reply.thinking, reply.text) == ("let me see", "yes")


def test_characters_split_between_packets_survive(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(text="Țara și 🦊 vulpea", splits_characters=True))
    assert complete(chat, PROMPT).text == "Țara și 🦊 vulpea"


@pytest.mark.parametrize(
    ("rule", "error", "said"),
    [
        pytest.param(Rule(status=401, error=f"bad key {KEY}"), Rejected, "key", id="a wrong key"),
        pytest.param(Rule(status=404), Rejected, "model", id="an unknown model"),
        pytest.param(Rule(status=400), Rejected, "refuses the request", id="a bad request"),
        pytest.param(Rule(status=429), Transient, "busy", id="too many requests"),
        pytest.param(Rule(status=500), Unavailable, "failed", id="a server's fault"),
        pytest.param(Rule(status=503), Unavailable, "failed", id="a server that is loading"),
        pytest.param(Rule(text="one two three", cut_after=2), Transient, "broke", id="a cut connection"),
    ],
)
def test_failures_say_whether_to_try_again_and_never_the_key_nor_where_but_in_the_log(
    openai: FakeOpenAI,
    chat: HttpChat,
    rule: Rule,
    error: type[Exception],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    openai.script(rule)
    with pytest.raises(error, match=said) as failure:
        complete(chat, PROMPT)
    assert KEY not in str(failure.value)
    assert openai.root not in str(failure.value)
    assert [record.address for record in caplog.records if record.message == "provider failed"] == [openai.url]
    assert isinstance(failure.value, Transient) == issubclass(error, Transient)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with HttpChat(f"http://127.0.0.1:{free_port()}/v1", "m") as chat, pytest.raises(Unavailable, match="running"):
        complete(chat, PROMPT)


def test_a_server_that_says_nothing_is_transient(openai: FakeOpenAI) -> None:
    openai.script(Rule(text="one two", hang_after=1))
    with HttpChat(openai.url, "m", timeout=0.2) as chat, pytest.raises(Transient, match="in time"):
        complete(chat, PROMPT)


def test_giving_up_a_reply_that_is_over_leaves_the_next_on_its_connection_whole(chat: HttpChat) -> None:
    with chat.stream(PROMPT) as first:
        list(first)
    with chat.stream(PROMPT) as second:
        first.close()
        assert isinstance(list(second)[-1], End)


def test_after_a_failure_the_next_reply_is_whole(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(text="one two three", cut_after=2, times=1), Rule(status=500, times=1), Rule(text="fine"))
    with pytest.raises(Transient):
        complete(chat, PROMPT)
    with pytest.raises(Unavailable):
        complete(chat, PROMPT)
    assert complete(chat, PROMPT).text == "fine"


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(text="one two three", hang_after=1), id="between tokens"),
        pytest.param(Rule(text="one two three", hang_after=0), id="before the first token"),
        pytest.param(Rule(text="one", first_delay=1.5), id="before the first byte"),
    ],
)
@pytest.mark.parametrize("is_warm", [False, True], ids=["new connection", "kept connection"])
def test_another_thread_ends_a_blocked_read_at_once(
    openai: FakeOpenAI, chat: HttpChat, rule: Rule, *, is_warm: bool
) -> None:
    if is_warm:
        complete(chat, PROMPT)
    openai.script(rule)
    asked = len(openai.requests)
    with chat.stream(PROMPT) as stream:
        ended: list[float] = []

        def read() -> None:
            assert not any(isinstance(event, End) for event in stream)
            ended.append(time.monotonic())

        reader = threading.Thread(target=read)
        reader.start()
        until(lambda: len(openai.requests) > asked)
        closed = time.monotonic()
        stream.close()
        reader.join(5)
    assert ended
    assert ended[0] - closed < allowed(1)
    until(lambda: openai.open_streams == 0)


def test_a_stream_closed_before_it_began_sends_nothing(openai: FakeOpenAI, chat: HttpChat) -> None:
    with chat.stream(PROMPT) as stream:
        stream.close()
        assert list(stream) == []
    assert openai.requests == []


def test_leaving_a_stream_early_frees_the_provider(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(text="one two", hang_after=1))
    with chat.stream(PROMPT) as stream:
        assert next(iter(stream)) == Text("one")
    until(lambda: openai.left_streams == 1)


def test_twenty_threads_share_one_chat(openai: FakeOpenAI, chat: HttpChat) -> None:
    openai.script(Rule(text="a b c d e", token_delay=0.005))
    replies: list[str] = []
    threads = [threading.Thread(target=lambda: replies.append(complete(chat, PROMPT).text)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert replies == ["a b c d e"] * 20


def test_models_are_listed(openai: FakeOpenAI, chat: HttpChat) -> None:
    assert [model["id"] for model in chat.list_models()] == ["fake-chat", "multilingual-e5-small"]


def test_a_server_of_another_kind_is_rejected(openai: FakeOpenAI) -> None:
    with HttpChat(f"{openai.root}/nothing", "m") as chat, pytest.raises(Rejected, match="check the URL"):
        complete(chat, PROMPT)


@pytest.mark.capability("C18")
def test_a_users_profile_goes_through_the_guard(openai: FakeOpenAI) -> None:
    with HttpChat(openai.url, "m", transport=Outbound().transport) as chat, pytest.raises(Refused):
        complete(chat, PROMPT)
    assert openai.requests == []


@pytest.mark.capability("C18")
def test_a_listed_name_is_reached_at_its_checked_address(openai: FakeOpenAI) -> None:
    port = openai.url.split(":")[2].split("/")[0]
    guarded = Outbound(f"models.example:{port}", resolve=lambda host, port: ["127.0.0.1"])
    with HttpChat(f"http://models.example:{port}/v1", "m", transport=guarded.transport) as chat:
        assert complete(chat, PROMPT).text == "You said: hello there"
    assert openai.requests[0]["headers"]["Host"] == f"models.example:{port}"
