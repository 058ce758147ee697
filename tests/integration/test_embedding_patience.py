"""Embedding against a server that is slow, busy or away: what was given is kept, and waiting is no failure."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from services import leases
from services.embedding import steps
from services.embedding.places import Places
from shared.db import close_engine, use_database
from shared.domain.text import content_hash
from shared.domain.workflow import ArtifactType, WorkflowStepType
from shared.errors import Rejected, Transient
from shared.models import RunStep
from shared.providers.embedding.client import HttpEmbedding
from shared.providers.network.faults import read_retry_after
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.work.engine import Claim
from shared.queries.workflows.advance import StepContext
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule

ROOTS = dict.fromkeys(ArtifactType, "1")
TEXTS = [f"passage number {number}" for number in range(10)]


class Desk:
    """A step's tools, with a shelf of the vectors that were kept."""

    def __init__(self, openai: FakeOpenAI, **options: float) -> None:
        self.kept: dict[str, list[float]] = {}
        self.provider = HttpEmbedding(openai.url, "multilingual-e5-small", **options)
        self.blobs = FakeBlobs()
        self.document = self.blobs.put(b"a document").key

    def tools(self, **more: object) -> steps.EmbeddingTools:
        return steps.EmbeddingTools(
            self.blobs, self.provider, lambda model, vectors, advances: self.kept.update(vectors), batch=2, **more
        )

    def embed(self, texts: list[str], **more: object) -> steps.Result:
        rows = [{"text": text} for text in texts]
        missing = {content_hash(text): text for text in texts if content_hash(text) not in self.kept}
        step = StepContext(1, WorkflowStepType.EMBED, self.document, "text/plain", {}, {}, ROOTS, {}, "default")
        return steps.embed(steps.Loaded(step, rows, missing), self.tools(**more))


@pytest.fixture
def openai() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def desk(openai: FakeOpenAI) -> Iterator[Desk]:
    made = Desk(openai, timeout=1.0)
    with made.provider:
        yield made


@pytest.fixture
def database(module_database: str) -> Iterator[None]:
    use_database(module_database)
    yield
    close_engine()


@pytest.fixture
def held() -> Iterator[leases.Held]:
    item = leases.Held(Claim(RunStep, 1, 1, 0, 3, 0, {}, False), "embedding", max_runtime=60)
    leases.working_on(item)
    yield item
    leases.working_on(None)


def test_a_retry_asks_only_for_what_was_not_given(openai: FakeOpenAI, desk: Desk) -> None:
    openai.script(Rule(match="number 6", status=500))
    with pytest.raises(Transient):
        desk.embed(TEXTS)
    assert len(desk.kept) == 6
    openai.script()
    openai.requests.clear()
    desk.embed(TEXTS)
    assert [text for request in openai.requests for text in request["body"]["input"]] == TEXTS[6:]
    made = json.loads(desk.blobs.get_artifact(desk.document, ArtifactType.EMBEDDINGS, "1"))
    assert set(made["hashes"]) == set(desk.kept)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for(openai: FakeOpenAI, desk: Desk, held: leases.Held, status: int) -> None:
    openai.script(Rule(status=status, retry_after="0", times=5))
    desk.embed(TEXTS)
    assert len(desk.kept) == len(TEXTS)


def test_a_refusal_is_not_waited_for(openai: FakeOpenAI, desk: Desk) -> None:
    openai.script(Rule(status=401, retry_after="0"))
    with pytest.raises(Rejected):
        desk.embed(TEXTS)


def test_waiting_ends_when_the_work_is_told_to_stop(openai: FakeOpenAI, desk: Desk, held: leases.Held) -> None:
    openai.script(Rule(status=503, retry_after="3600"))
    threading.Timer(0.2, held.stop, ["cancel"]).start()
    with pytest.raises(leases.Stopped):
        desk.embed(TEXTS)


def test_waiting_is_off_the_clock(held: leases.Held) -> None:
    held.begin()
    with held.unhurried():
        assert not held.overdue(-1e9)
    assert held.overdue(-1e9)


def test_a_request_that_is_too_much_for_its_time_is_halved(openai: FakeOpenAI, desk: Desk) -> None:
    openai.script(Rule(first_delay=1.5, times=1))
    desk.embed(TEXTS)
    sizes = [len(request["body"]["input"]) for request in openai.requests]
    assert sizes == [2] + [1] * 10


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("-1", 0.0), ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0), ("soon", None), (None, None)]
)
def test_both_forms_of_retry_after_are_read(said: str | None, seconds: float | None) -> None:
    assert read_retry_after(said) == seconds


def test_all_workers_together_have_so_many_requests_under_way(openai: FakeOpenAI, desk: Desk, database: None) -> None:
    processes = [Places(2), Places(2)]  # as two workers would
    openai.script(Rule(first_delay=0.02))
    work = [
        threading.Thread(
            target=desk.embed, args=([f"{n} {text}" for text in TEXTS],), kwargs={"place": processes[n % 2].place}
        )
        for n in range(6)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(60)
    assert len(desk.kept) == 60
    assert openai.most_embeddings == 2


def test_who_has_the_fewest_texts_left_goes_first(database: None) -> None:
    places, order = Places(1), []

    def wait(left: int) -> None:
        with suppress(leases.Stopped), places.place(left):
            order.append(left)

    waiting = [threading.Thread(target=wait, args=(left,)) for left in (500, 3, 40)]
    with places.place(1):
        for thread in waiting:
            thread.start()
        while len(places._waiting) < 3:
            threading.Event().wait(0.01)
    for thread in waiting:
        thread.join(30)
    assert order == [3, 40, 500]
