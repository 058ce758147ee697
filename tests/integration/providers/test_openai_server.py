"""The scripted model as another process sees it."""

import httpx

from tests.fakes.openai_server import FakeOpenAI

ASK = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_rules_are_set_and_requests_read_over_http(openai: FakeOpenAI) -> None:
    with httpx.Client(base_url=openai.root) as client:
        client.post("/_script", json={"rules": [{"match": "^hello", "text": "Good day"}]})
        answer = client.post("/v1/chat/completions", json=ASK).json()
        assert answer["choices"][0]["message"]["content"] == "Good day"
        assert answer["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        assert [request["path"] for request in client.get("/_requests").json()] == ["/v1/chat/completions"]
        client.delete("/_requests")
        assert client.get("/_requests").json() == []


def test_the_first_rule_that_is_not_used_up_answers(openai: FakeOpenAI) -> None:
    with httpx.Client(base_url=openai.root) as client:
        rules = [{"text": "once", "times": 1}, {"match": "nothing like it", "text": "never"}]
        client.post("/_script", json={"rules": rules})
        answers = [client.post("/v1/chat/completions", json=ASK).json() for _ in range(2)]
    said = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert said == ["once", "You said: hello"]


def test_embeddings_are_counted(openai: FakeOpenAI) -> None:
    with httpx.Client(base_url=openai.root) as client:
        client.post("/v1/embeddings", json={"model": "m", "input": ["a", "b"]})
        assert client.get("/_state").json()["embedding_calls"] == 1
        assert client.get("/_state").json()["embedded_texts"] == 2
