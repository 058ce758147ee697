"""The embedding provider against the scripted server."""

import socket
import time

import pytest

from deploy.local.data.ports import free_port
from shared.errors import Rejected, Transient, Unavailable
from shared.providers.embedding.client import HttpEmbedding, connect_embedding, connect_query_embedding, try_query
from shared.settings import Settings
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import allowed


def test_passages_go_in_batches_and_come_back_in_order(openai: FakeOpenAI) -> None:
    texts = ["one fox", "two hens", "three dogs", "four cats", "five"]
    with HttpEmbedding(openai.url, "multilingual-e5-small", batch=2) as embedding:
        assert embedding.embed_passages(texts) == openai.embedding.embed_passages(texts)
    assert [len(request["body"]["input"]) for request in openai.requests] == [2, 2, 1]
    assert {request["body"]["input_type"] for request in openai.requests} == {"passage"}


def test_nothing_to_embed_asks_nothing(openai: FakeOpenAI) -> None:
    with HttpEmbedding(openai.url, "m") as embedding:
        assert embedding.embed_passages([]) == []
    assert openai.requests == []


def test_a_query_says_that_it_is_one(openai: FakeOpenAI) -> None:
    with HttpEmbedding(openai.url, "m") as embedding:
        embedding.embed_query("where")
    assert openai.requests[0]["body"]["input_type"] == "query"


def test_servers_that_refuse_unknown_fields_are_not_sent_any(openai: FakeOpenAI) -> None:
    with connect_embedding(Settings(embedding_url=openai.url, embedding_input_type=False)) as embedding:
        embedding.embed_query("where")
    assert "input_type" not in openai.requests[0]["body"]


@pytest.mark.parametrize(("status", "error"), [(401, Rejected), (404, Rejected), (429, Transient), (500, Unavailable)])
def test_failures_say_whether_to_try_again(openai: FakeOpenAI, status: int, error: type[Exception]) -> None:
    openai.script(Rule(status=status))
    with HttpEmbedding(openai.url, "m") as embedding, pytest.raises(error):
        embedding.embed_query("x")


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_query_that_no_server_embeds_has_a_reason_instead_of_a_vector(openai: FakeOpenAI, status: int) -> None:
    openai.script(Rule(status=status))
    with HttpEmbedding(openai.url, "m") as embedding:
        vector, reason = try_query(embedding, "x")
    assert vector is None
    assert "by words only" in str(reason)


def test_a_query_is_embedded_without_a_reason(openai: FakeOpenAI) -> None:
    with connect_query_embedding(Settings(embedding_url=openai.url)) as embedding:
        assert try_query(embedding, "x") == (openai.embedding.embed_query("x"), None)


@pytest.mark.parametrize(("patience", "timeout"), [(0.1, 120.0), (5.0, 0.1)], ids=["a query's", "the operator's"])
def test_a_query_does_not_wait_for_a_silent_server(
    monkeypatch: pytest.MonkeyPatch, patience: float, timeout: float
) -> None:
    monkeypatch.setattr("shared.providers.embedding.client.QUERY_PATIENCE", patience)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        started = time.monotonic()
        with connect_query_embedding(Settings(embedding_url=url, embedding_timeout=timeout)) as embedding:
            assert try_query(embedding, "x")[0] is None
    assert time.monotonic() - started < allowed(1)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with HttpEmbedding(f"http://127.0.0.1:{free_port()}/v1", "m") as embedding, pytest.raises(Unavailable):
        embedding.embed_query("x")


def test_a_server_of_another_kind_is_rejected(openai: FakeOpenAI) -> None:
    with HttpEmbedding(openai.root, "m") as embedding, pytest.raises(Rejected):
        embedding.embed_query("x")
