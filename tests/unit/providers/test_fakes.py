"""The fakes keep the promises of the Protocols they stand in for."""

import threading

import pytest

from shared.errors import Invalid, Transient
from shared.providers.chat.chat import FakeChat, complete
from shared.providers.chat.thinking import Text
from shared.providers.chat.wire import ChatMessage, End
from shared.providers.embedding.client import FakeEmbedding
from shared.providers.parsing.parser import FakeParser

PROMPT = [ChatMessage("user", "two words")]


def similarity(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_fake_vectors_are_of_length_one_and_the_same_every_time() -> None:
    first, second = FakeEmbedding().embed_passages(["the fox", ""]), FakeEmbedding().embed_passages(["the fox", ""])
    assert first == second
    assert [similarity(vector, vector) for vector in first] == pytest.approx([1.0, 1.0])


def test_shared_words_make_fake_neighbours() -> None:
    embedding = FakeEmbedding()
    query = embedding.embed_query("where does the fox live")
    near, far = embedding.embed_passages(["the fox does live in a wood", "quarterly revenue grew sharply"])
    assert similarity(query, near) > similarity(query, far) + 0.3


def test_the_fake_embedding_counts_calls_and_texts() -> None:
    embedding = FakeEmbedding()
    embedding.embed_passages(["a", "b"])
    embedding.embed_query("c")
    assert (embedding.calls, embedding.texts) == (2, 3)


def test_the_fake_chat_says_its_script_then_repeats_the_last() -> None:
    chat = FakeChat("one", "two")
    assert [complete(chat, PROMPT).text for _ in range(3)] == ["one", "two", "two"]
    assert len(chat.asked) == 3


def test_the_fake_chat_echoes_without_a_script() -> None:
    reply = complete(FakeChat(thinking="hm"), PROMPT)
    assert reply == ("You said: two words", "hm", End("stop", 2, 4))


def test_the_fake_chat_raises_scripted_errors() -> None:
    chat = FakeChat(Transient("busy"), "fine")
    with pytest.raises(Transient):
        complete(chat, PROMPT)
    assert complete(chat, PROMPT).text == "fine"


def test_a_hanging_fake_stream_ends_when_another_thread_closes_it() -> None:
    with FakeChat("one two", hangs=True).stream(PROMPT) as stream:
        threading.Timer(0.01, stream.close).start()
        events = list(stream)
    assert events == [Text("one")]


def test_the_fake_parser_knows_pages_and_damage() -> None:
    parsed = FakeParser().parse(b"one\ftwo", "text/plain")
    assert [parsed.text[page.start : page.end] for page in parsed.pages] == ["one", "two"]
    with pytest.raises(Invalid):
        FakeParser().parse(b"damaged", "text/plain")
