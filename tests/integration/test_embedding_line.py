"""Many documents before one embedding server: counted in requests, for seconds are the machine's."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg2 import Error as DriverError
from sqlalchemy.exc import DataError, OperationalError, SQLAlchemyError

from services import leases
from services.embedding import line as line_
from services.embedding import steps
from services.embedding.line import Line
from services.embedding.tasks import others_wait
from services.leases import Later
from shared.db import close_engine, use_database
from shared.domain.text import content_hash
from shared.domain.workflow import ArtifactType, WorkflowStepType
from shared.errors import PersonaeError, Rejected, Transient
from shared.models import RunStep
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.work.engine import Claim
from shared.queries.workflows.advance import StepContext
from shared.queries.workflows.progress import Advance

ROOTS = dict.fromkeys(ArtifactType, "1")


class Held:
    """An embedding server that keeps its first answer back until it is told to go on."""

    model = "counting"

    def __init__(self, refuses: str = "") -> None:
        self.requests: list[list[str]] = []
        self.asked, self.go = threading.Event(), threading.Event()
        self.refuses = refuses

    def embed_passages(self, texts: list[str]) -> list[list[float]]:
        self.requests.append(list(texts))
        self.asked.set()
        self.go.wait(60)
        if self.refuses and any(self.refuses in text for text in texts):
            raise Rejected("a text is refused")
        return [[1.0]] * len(texts)


class Crowd:
    """Documents by name, each embedded by a thread of its own through one line."""

    def __init__(self, line: Line, server: Held) -> None:
        self.line, self.server = line, server
        self.blobs = FakeBlobs()
        self.document = self.blobs.put(b"a document").key
        self.ended: dict[str, object] = {}
        self.advances: list[Advance] = []
        self.threads: list[threading.Thread] = []
        self.hiccups: list[str] = []  # where the database is away once
        self.kept: set[str] = set()
        self.never_kept = ""

    def come(self, name: str, passages: int, owner: str = "ana", row_id: int | None = None, persona: str = "") -> None:
        """Let a document join, and wait until it has."""
        texts = [f"{name} {number}" for number in range(passages)]
        number = len(self.threads) if row_id is None else row_id
        self.threads.append(threading.Thread(target=self._embed, args=(name, texts, owner, persona, number)))
        self.threads[-1].start()
        self._wait(lambda: len(self.line._entries) == len(self.threads))
        if len(self.threads) == 1:
            assert self.server.asked.wait(60)

    def _wait(self, there: Callable[[], bool]) -> None:
        while not there():
            threading.Event().wait(0.01)

    def _embed(self, name: str, texts: list[str], owner: str, persona: str, number: int) -> None:
        about = {"persona_id": persona}
        step = StepContext(number, WorkflowStepType.EMBED, self.document, "text/plain", {}, {}, ROOTS, about, owner)
        missing = {content_hash(text): text for text in texts}
        tools = steps.EmbeddingTools(self.blobs, self.server, self._keep, self._place, line=self.line)
        leases.working_on(leases.Held(Claim(RunStep, number, 1, 0, 3, 0, {}, False), "embedding", max_runtime=60))
        try:
            self.ended[name] = steps.embed(steps.Loaded(step, [{"text": text} for text in texts], missing), tools)
        except (PersonaeError, SQLAlchemyError, Later) as error:
            self.ended[name] = error

    def _keep(self, model: str, vectors: dict[str, list[float]], advances: list[Advance]) -> None:
        self._hiccup("keep")
        if self.never_kept in vectors:
            raise DataError("INSERT", {}, DriverError("a vector is refused"))
        self.kept |= vectors.keys()
        self.advances += advances

    @contextmanager
    def _place(self, texts_left: int) -> Iterator[None]:
        self._hiccup("place")
        yield

    def _hiccup(self, where: str) -> None:
        if where in self.hiccups:
            self.hiccups.remove(where)
            raise OperationalError("SELECT", {}, DriverError("the connection was closed"))

    def waits_for_two_to_end(self, *, after: int) -> None:
        """Keep the answers back, after so many requests, until two documents have left the line."""
        answer = self.server.embed_passages

        def patiently(texts: list[str]) -> list[list[float]]:
            self._wait(lambda: len(self.server.requests) < after or len(self.ended) == 2)
            return answer(texts)

        self.server.embed_passages = patiently  # type: ignore[method-assign]

    def go_on(self) -> list[list[str]]:
        """Let the server answer, to the end of all; return what each request asked for, by the names of documents."""
        self.server.go.set()
        for thread in self.threads:
            thread.join(60)
        return [[text.split()[0] for text in texts] for texts in self.server.requests]


@pytest.fixture
def crowd() -> Crowd:
    return Crowd(Line(16), Held())


def requests_until_done(requests: list[list[str]], name: str) -> int:
    return max(number for number, names in enumerate(requests, 1) if name in names)


def test_two_quotes_are_embedded_while_two_thousand_passages_wait(crowd: Crowd) -> None:
    crowd.come("book", 2000)
    crowd.come("quotes", 2)
    requests = crowd.go_on()
    assert requests_until_done(requests, "quotes") == 2
    assert requests[1].count("book") == 14, "one request holds the texts of both"
    assert sum(map(len, requests)) == 2002


def test_two_quotes_are_embedded_while_forty_documents_wait(crowd: Crowd) -> None:
    for number in range(40):
        crowd.come(f"book{number}", 50)
    crowd.come("quotes", 2)
    assert requests_until_done(crowd.go_on(), "quotes") == 2


def test_a_long_document_is_asked_for_in_every_request_while_short_ones_wait(crowd: Crowd) -> None:
    crowd.come("first", 1)
    crowd.come("book", 60)
    for number in range(30):
        crowd.come(f"note{number}", 8)
    requests = crowd.go_on()
    assert requests_until_done(requests, "book") < len(requests)
    assert all("book" in names for names in requests[1 : requests_until_done(requests, "book")])


def test_owners_take_turns(crowd: Crowd) -> None:
    crowd.come("first", 1)
    for number in range(20):
        crowd.come(f"a{number}", 40)
    crowd.come("b", 40, owner="ben")
    requests = crowd.go_on()
    assert [names.count("b") for names in requests[1:6]] == [8] * 5


def test_each_persona_is_seen_to_move_however_many_documents_another_has() -> None:
    crowd = Crowd(Line(4), Held())
    crowd.come("first", 1)
    for number in range(20):
        crowd.come(f"long{number}", 40, persona="vera")
    crowd.come("book", 60, persona="lena")
    requests = crowd.go_on()
    waits = [number for number, names in enumerate(requests[1:60], 1) if "book" in names]
    assert max(after - before for before, after in itertools.pairwise([0, *waits])) <= 3


def test_a_refusal_ends_the_document_it_belongs_to_and_no_other() -> None:
    crowd = Crowd(Line(16), Held(refuses="bad 3"))
    for name in ("first", "good", "bad", "fine"):
        crowd.come(name, 20)
    crowd.go_on()
    assert isinstance(crowd.ended["bad"], Rejected)
    assert all(isinstance(crowd.ended[name], steps.Result) for name in ("first", "good", "fine"))


def test_what_was_refused_among_many_is_found_out_though_shorter_ones_wait() -> None:
    crowd = Crowd(Line(16), Held(refuses="bad 1"))
    for name, passages in (("first", 1), ("bad", 100), *((f"note{number}", 30) for number in range(10))):
        crowd.come(name, passages)
    requests = crowd.go_on()
    assert isinstance(crowd.ended.pop("bad"), Rejected)
    assert all(isinstance(ended, steps.Result) for ended in crowd.ended.values())
    assert len(requests) < 50


def test_each_request_says_how_far_its_documents_are(crowd: Crowd) -> None:
    crowd.come("book", 40)
    crowd.come("quotes", 2)
    crowd.go_on()
    of_book = [advance for advance in crowd.advances if advance.step_id == 0]
    assert [advance.done for advance in of_book] == [16, 30, 40]
    assert [advance[2:5] for advance in crowd.advances if advance.step_id == 1] == [(2, 2, 0)]


@pytest.mark.parametrize("ids", [(1, 2, 3), (900, 5, 6)], ids=["documents", "passages after a document"])
def test_what_had_its_turn_makes_room_for_what_nobody_has_taken_but_the_first_that_came_goes_on(
    monkeypatch: pytest.MonkeyPatch, ids: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(line_, "TURN", 3)
    crowd = Crowd(Line(16, crowded=lambda: True), Held())
    for name, row_id in zip(("first", "second", "third"), ids, strict=True):
        crowd.come(name, 200, row_id=row_id)
    crowd.waits_for_two_to_end(after=6)
    crowd.go_on()
    assert isinstance(crowd.ended["first"], steps.Result)
    assert [type(crowd.ended[name]) for name in ("second", "third")] == [Later, Later]


@pytest.mark.parametrize("where", ["keep", "place"])
def test_a_hiccup_of_the_database_ends_nobodys_attempt_and_asks_for_nothing_twice(crowd: Crowd, where: str) -> None:
    crowd.hiccups = [where, where]
    for name in ("first", "second"):
        crowd.come(name, 20)
    requests = crowd.go_on()
    assert all(isinstance(ended, steps.Result) for ended in crowd.ended.values())
    assert (len(crowd.kept), sum(map(len, requests)), crowd.hiccups) == (40, 40, [])


def test_what_the_database_refuses_ends_the_document_it_belongs_to_and_no_other(crowd: Crowd) -> None:
    crowd.never_kept = content_hash("bad 3")
    for name in ("first", "good", "bad", "fine"):
        crowd.come(name, 20)
    crowd.go_on()
    assert isinstance(crowd.ended.pop("bad"), DataError)
    assert all(isinstance(ended, steps.Result) for ended in crowd.ended.values())


def test_nobody_makes_room_while_the_database_cannot_say_who_waits() -> None:
    use_database("postgresql+psycopg2://nobody:none@127.0.0.1:1/none")
    assert others_wait() is False
    close_engine()


def test_a_server_that_is_away_fails_each_document_by_itself() -> None:
    server = Held()
    crowd = Crowd(Line(16), server)
    server.embed_passages = away(server)  # type: ignore[method-assign]
    for name in ("first", "second"):
        crowd.come(name, 20)
    crowd.go_on()
    assert all(isinstance(ended, Transient) for ended in crowd.ended.values())
    assert len(crowd.ended) == 2


def away(server: Held) -> Callable[[list[str]], list[list[float]]]:
    def refuse(texts: list[str]) -> list[list[float]]:
        server.asked.set()
        server.go.wait(60)
        raise Transient("the embedding server cannot be reached")

    return refuse
