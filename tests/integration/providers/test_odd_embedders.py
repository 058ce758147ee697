"""Servers that send no vectors, or such as cannot be compared: said in words, with the setting that helps."""

from collections.abc import Iterator

import pytest

from shared.errors import Rejected, Transient, Unavailable
from shared.providers.embedding.client import HttpEmbedding, check_embedding, try_query, word_vector
from shared.settings import Settings
from tests.fakes.odd_embedder import DIMENSIONS, GOOD, SPOILED, OddEmbedder, changed, each, large, refusing, saying

TEXTS = [f"passage {number}" for number in range(16)]
WINDOW, BATCH, INPUT_TYPE = "PERSONAE_EMBEDDING_WINDOW", "PERSONAE_EMBEDDING_BATCH", "PERSONAE_EMBEDDING_INPUT_TYPE"
URL, MODEL, KEY = "PERSONAE_EMBEDDING_URL", "PERSONAE_EMBEDDING_MODEL", "API key"


@pytest.fixture
def odd() -> Iterator[OddEmbedder]:
    with OddEmbedder().running() as server:
        yield server


@pytest.fixture
def provider(odd: OddEmbedder) -> Iterator[HttpEmbedding]:
    with HttpEmbedding(odd.url, "m", timeout=20.0) as made:
        yield made


def expected() -> list[list[float]]:
    return [word_vector(text, DIMENSIONS) for text in TEXTS]


@pytest.mark.parametrize("kind", SPOILED)
def test_what_is_no_vector_is_refused_and_a_question_goes_on_in_words(
    odd: OddEmbedder, provider: HttpEmbedding, kind: str
) -> None:
    odd.server = SPOILED[kind]
    with pytest.raises(Rejected):
        provider.embed_passages(TEXTS)
    vector, reason = try_query(provider, "which passage?")
    assert (vector, str(reason)[:42]) == (None, "searched by words only: the embedding serv")


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(changed(lambda items: items[::-1]), id="shuffled"),
        pytest.param(changed(lambda items: [{"embedding": item["embedding"]} for item in items]), id="no index"),
        pytest.param(changed(lambda items: [item | {"index": str(item["index"])} for item in items]), id="as text"),
        pytest.param(changed(lambda items: [item | {"index": 0} for item in items]), id="all the same: one by one"),
        pytest.param(changed(lambda items: [item | {"index": item["index"] + 7} for item in items]), id="wrong"),
        pytest.param(changed(lambda items: items[:1]), id="only the first"),
        pytest.param(each(large), id="not at length 1"),
    ],
)
def test_each_text_has_its_own_vector(odd: OddEmbedder, provider: HttpEmbedding, server: object) -> None:
    odd.server = server
    assert provider.embed_passages(TEXTS) == [pytest.approx(vector) for vector in expected()]


def test_vectors_of_different_lengths_in_one_answer_are_asked_for_one_by_one(
    odd: OddEmbedder, provider: HttpEmbedding
) -> None:
    def ragged(body: dict) -> tuple[int, dict]:
        vectors = [word_vector(text, DIMENSIONS + index) for index, text in enumerate(body["input"])]
        return 200, {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]}

    odd.server = ragged
    assert len({len(vector) for vector in provider.embed_passages(TEXTS)}) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (413, "batch size 16 > maximum allowed batch size 4"),
        (413, "Payload Too Large"),
        (422, "batch size 16 > maximum allowed batch size 4"),
        (400, "input array must not exceed 4 entries"),
        (400, "Invalid 'input': array too long. Expected an array with maximum length 4, but got length 16."),
        (422, '[{"type":"too_long","loc":["body","input"],"msg":"List should have at most 4 items after validation"}]'),
        (400, "too many texts: the total number of texts must be at most 4, received 16"),
        (400, "The max allowed tokens per submitted batch is 120000. Please lower the number of tokens in the batch."),
        (400, "something that nobody has said before"),
    ],
)
def test_fewer_texts_are_tried_where_so_many_are_refused_and_no_more_from_then_on(
    odd: OddEmbedder, provider: HttpEmbedding, status: int, said: str
) -> None:
    odd.server = refusing(status, said, where=lambda body: len(body["input"]) > 4)
    assert provider.embed_passages(TEXTS) == expected()
    odd.requests.clear()
    assert provider.embed_passages(TEXTS) == expected()
    assert odd.sizes() == [4, 4, 4, 4]


@pytest.mark.parametrize(
    ("status", "said", "names"),
    [
        (400, "This model's maximum context length is 256 tokens, however you requested 300 tokens", WINDOW),
        (413, "Input validation error: `inputs` must have less than 512 tokens. Given: 1000", WINDOW),
        (413, "", WINDOW),
        (500, "input (600 tokens) is too large to process. increase the physical batch size (512)", WINDOW),
        (500, "the input length exceeds the context length", WINDOW),
        (400, "Malformed input request: expected maxLength: 2048, actual: 3000", WINDOW),
        (400, "The input token count is 20225 but the model supports up to 20000", WINDOW),
        (400, "Sequence length 600 is longer than the maximum of 512", WINDOW),
        (422, "String should have at most 8192 characters", WINDOW),
        (400, "batch too large", BATCH),
        (400, "maximum batch exceeded", BATCH),
        (422, "Extra inputs are not permitted", INPUT_TYPE),
        (400, "'input_type' parameter is required for asymmetric models", INPUT_TYPE),
        (400, "Unrecognized request argument supplied: input_type", INPUT_TYPE),
        (400, "Additional properties are not allowed", INPUT_TYPE),
        (400, "what nobody has said before", WINDOW),
        (400, "model `m` does not exist", MODEL),
        (404, 'model "m" not found, try pulling it first', MODEL),
        (404, "Not Found", "no such model or path"),
        (501, "This server does not support embeddings. Start it with `--embeddings`", MODEL),
        (400, "API key not valid. Please pass a valid API key.", KEY),
        (401, "<html>Unauthorized</html>", KEY),
        (403, "no", KEY),
        (405, "Method Not Allowed", URL),
        (307, "", URL),
        (302, "", URL),
    ],
)
def test_a_refusal_names_the_setting_that_helps(
    odd: OddEmbedder, provider: HttpEmbedding, status: int, said: str, names: str
) -> None:
    odd.server = refusing(status, said)
    with pytest.raises(Rejected) as caught:
        provider.embed_query("x")
    assert names.lower() in str(caught.value).lower()
    assert "PERSONAE_CHAT" not in str(caught.value)
    assert len(odd.requests) == 1


@pytest.mark.parametrize(("says", "wanted"), [(True, "=false"), (False, "=true")])
def test_the_input_type_is_to_be_told_or_not(odd: OddEmbedder, says: bool, wanted: str) -> None:
    odd.server = refusing(400, "input_type")
    with HttpEmbedding(odd.url, "m", says_input_type=says) as provider, pytest.raises(Rejected, match=wanted):
        provider.embed_query("x")


def test_a_key_that_is_refused_is_not_tried_with_fewer_texts(odd: OddEmbedder, provider: HttpEmbedding) -> None:
    odd.server = refusing(401, "no")
    with pytest.raises(Rejected):
        provider.embed_passages(TEXTS)
    assert len(odd.requests) == 1


@pytest.mark.parametrize(
    ("server", "error", "said"),
    [
        pytest.param(saying(200, "<html><title>Login</title>"), Rejected, "web page", id="login page"),
        pytest.param(saying(200, {"detail": "Model is still loading, 43%"}), Unavailable, "loading", id="loading"),
        pytest.param(saying(200, {"status": "loading model"}), Unavailable, "loading", id="its status"),
        pytest.param(saying(200, "Loading model"), Unavailable, "loading", id="loading in plain words"),
        pytest.param(saying(503, {"error": {"message": "Loading model"}}), Unavailable, "loading", id="503"),
        pytest.param(saying(200, {"error": {"message": "quota", "code": 402}}), Rejected, "credit", id="402 in a 200"),
        pytest.param(saying(200, {"error": "invalid model"}), Rejected, MODEL, id="no model, in a 200"),
        pytest.param(saying(200, {"error": {"code": 429}}), Transient, "busy", id="busy, in a 200"),
        pytest.param(each(lambda vector: [1.0] * DIMENSIONS), Rejected, "same vector", id="one vector for all"),
    ],
)
def test_the_trial_says_what_it_meets(odd: OddEmbedder, server: object, error: type[Exception], said: str) -> None:
    odd.server = server
    settings = Settings(_env_file=None, embedding_url=odd.url)
    with pytest.raises(error, match=said):
        check_embedding(settings, 20.0)


def test_the_trial_tries_passages_too(odd: OddEmbedder) -> None:
    odd.server = refusing(400, "input_type", where=lambda body: body["input_type"] == "passage")
    with pytest.raises(Rejected, match=INPUT_TYPE):
        check_embedding(Settings(_env_file=None, embedding_url=odd.url), 20.0)
    odd.server = GOOD
    assert check_embedding(Settings(_env_file=None, embedding_url=odd.url), 20.0) == DIMENSIONS


def passage(body: dict) -> bool:
    return body["input_type"] == "passage"


def test_a_server_that_is_busy_with_passages_and_takes_questions_is_well(odd: OddEmbedder) -> None:
    settings = Settings(_env_file=None, embedding_url=odd.url)
    odd.server = refusing(429, "too many passages", where=passage)
    assert check_embedding(settings, 20.0) == DIMENSIONS
    odd.server = refusing(500, "no passages", where=passage)
    with pytest.raises(Unavailable):
        check_embedding(settings, 20.0)


def test_an_answer_without_end_ends_by_its_size_or_by_the_clock(
    odd: OddEmbedder, provider: HttpEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd.server = saying(200, b" " * 2000)
    monkeypatch.setattr("shared.providers.embedding.client.MOST_BYTES", 1000)
    with pytest.raises(Rejected, match="without end"):
        provider.embed_query("x")
    provider._timeout = -1.0
    with pytest.raises(Transient, match="in time") as caught:
        provider.embed_query("x")
    assert caught.value.details == {"timed_out": True}


def test_an_answer_that_is_not_compressed_as_it_says_is_told(odd: OddEmbedder, provider: HttpEmbedding) -> None:
    odd.server, odd.headers = saying(200, "plain"), {"Content-Encoding": "gzip"}
    with pytest.raises(Rejected, match="cannot be unpacked: turn compression off"):
        provider.embed_query("x")


@pytest.mark.parametrize("url", ["http://[/v1", "http://a\nb/v1"])
def test_a_url_that_cannot_be_asked_is_told(url: str) -> None:
    with HttpEmbedding("http://x/v1", "m") as provider:
        provider._url = url
        assert try_query(provider, "x")[0] is None


def test_half_a_character_is_sent_as_none(odd: OddEmbedder, provider: HttpEmbedding) -> None:
    provider.embed_query("a \ud83d b")
    assert odd.requests[0]["input"] == ["a \ufffd b"]
