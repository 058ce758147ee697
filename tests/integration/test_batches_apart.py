"""Rows that were claimed together end each by itself: what spoils a batch for one of them is that one's alone."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from services import work as handling
from services.leases import Held
from services.outcomes import Outcome
from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.errors import Rejected, Transient
from shared.models import PassageEmbedding
from shared.queries.work import engine
from shared.tasks import EMBEDDING, INGESTION, Queue

DONE = (RunStatus.COMPLETED, None, None)
REFUSED = (RunStatus.FAILED, "this text is not wanted", "Rejected")
DIVIDED = (RunStatus.FAILED, "database: division by zero", "InternalError")
NAMES = ("first", "second", "third")
Act = Callable[[Session], object]
Told = dict[str, tuple[RunStatus, str | None, str | None]]


def refuse(session: Session) -> None:
    raise Rejected("this text is not wanted")


def stumble(session: Session) -> None:
    raise {}["nobody foresaw this"]


def divide(session: Session) -> None:
    session.execute(text("SELECT 1 / 0"))


def be_away(session: Session) -> None:
    raise Transient("the model is away")


POISONS = [
    pytest.param("first", refuse, REFUSED, id="refused"),
    pytest.param("second", divide, DIVIDED, id="by the database"),
    pytest.param("third", be_away, (RunStatus.ERROR, "the model is away", "Transient"), id="passing"),
]


class Batch:
    """Rows by name, some of which do something else than the others where it is said; what others are told of."""

    def __init__(self) -> None:
        self.loads: dict[str, Act] = {}
        self.saves: dict[str, Act] = {}
        self.announced: list[tuple[str, RunStatus]] = []
        self.worked: list[str] = []
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}

    def declare(self, queue: Queue) -> None:
        handling.register_handler(
            queue, PassageEmbedding, load=self.load, work=self.work, save=self.save, announce=self.announce
        )

    def load(self, session: Session, row: PassageEmbedding) -> str:
        self.loads.get(row.owner_id, lambda session: None)(session)
        self._names[row.id] = row.owner_id
        return row.owner_id

    def work(self, name: str) -> str:
        with self._lock:
            self.worked.append(name)
        return f"effect of {name}"

    def save(self, session: Session, row: PassageEmbedding, value: str) -> None:
        row.hashes = [value]
        session.flush()
        self.saves.get(row.owner_id, lambda session: None)(session)

    def announce(self, held: Held, outcome: Outcome) -> None:
        self.announced.append((self._names.get(held.id, "?"), outcome.status))

    def claim(self, queue: Queue) -> list[Held]:
        with get_session() as session:
            for name in NAMES:
                session.add(PassageEmbedding(owner_id=name, hashes=[], queue=queue.name, ready_at=func.now()))
        about = {"worker": "w:1:", "lease": 20, "limit": queue.batch, "suspects": False}
        with get_session() as session:
            claims = engine.claim(session, [PassageEmbedding], queue.name, **about)
        return [Held(claim, queue.name, max_runtime=60.0) for claim in claims]

    def perform(self, queue: Queue, held: list[Held]) -> Told:
        """Work on the rows; return how each ended in the database."""
        list(handling._perform(queue, held))
        return self.ends()

    def ends(self) -> Told:
        with get_session() as session:
            rows = session.scalars(select(PassageEmbedding)).all()
        return {row.owner_id: (row.status, row.status_message, row.status_meta.get("error_type")) for row in rows}

    def effects(self) -> dict[str, list[str]]:
        with get_session() as session:
            return {row.owner_id: row.hashes for row in session.scalars(select(PassageEmbedding)) if row.hashes}


def take_away(name: str) -> None:
    with get_session() as session:
        session.execute(text("UPDATE passage_embeddings SET fence = fence + 1 WHERE owner_id = :name"), {"name": name})


@pytest.fixture(params=[INGESTION, EMBEDDING], ids=["one by one", "side by side"])
def queue(request: pytest.FixtureRequest) -> Queue:
    return request.param


@pytest.fixture
def batch(database_url: str, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Batch:
    monkeypatch.setitem(handling.HANDLERS, queue.name, {})
    batch = Batch()
    batch.declare(queue)
    return batch


@pytest.mark.parametrize(("name", "poison", "told"), POISONS)
def test_a_row_whose_effects_cannot_be_written_ends_with_its_reason_and_the_others_are_written(
    batch: Batch, queue: Queue, name: str, poison: Act, told: object
) -> None:
    batch.saves[name] = poison
    held = batch.claim(queue)
    others = [other for other in NAMES if other != name]
    assert batch.perform(queue, held) == {name: told} | dict.fromkeys(others, DONE)
    assert batch.effects() == {other: [f"effect of {other}"] for other in others}
    assert sorted(batch.worked) == sorted(NAMES), "each is worked on once"
    assert sorted(batch.announced) == sorted([(name, told[0]), *((other, RunStatus.COMPLETED) for other in others)])


def test_two_rows_that_cannot_be_written_end_each_with_its_own_reason(batch: Batch, queue: Queue) -> None:
    batch.saves |= {"first": refuse, "third": divide}
    assert batch.perform(queue, batch.claim(queue)) == {"first": REFUSED, "second": DONE, "third": DIVIDED}


def test_a_row_that_was_taken_away_is_left_to_whoever_has_it_and_the_others_are_written(
    batch: Batch, queue: Queue
) -> None:
    batch.saves["third"] = refuse  # so that each is settled by itself
    loads = list(handling._load_together(batch.claim(queue)))
    take_away("first")
    list(handling._settled([[outcome for item, load in loads if (outcome := handling._attempt(item, load))]]))
    assert batch.ends() == {
        "first": (RunStatus.RUNNING, None, None),
        "second": DONE,
        "third": REFUSED,
    }
    assert batch.effects() == {"second": ["effect of second"]}


@pytest.mark.parametrize(("name", "poison", "told"), POISONS)
def test_a_row_that_cannot_be_loaded_ends_with_its_reason_and_the_others_are_worked_on(
    batch: Batch, queue: Queue, name: str, poison: Act, told: object
) -> None:
    batch.loads[name] = poison
    others = [other for other in NAMES if other != name]
    assert batch.perform(queue, batch.claim(queue)) == {name: told} | dict.fromkeys(others, DONE)
    assert sorted(batch.worked) == sorted(others)
    assert set(batch.effects()) == set(others)


def test_what_a_load_wrote_before_another_of_its_batch_failed_is_written_once(batch: Batch, queue: Queue) -> None:
    note = text("INSERT INTO modules (name, owner_id) VALUES ('begun', 'first')")
    batch.loads |= {"first": lambda session: session.execute(note), "second": refuse}
    batch.perform(queue, batch.claim(queue))
    with get_session() as session:
        assert session.scalar(text("SELECT count(*) FROM modules")) == 1


def test_a_row_that_was_lost_before_its_load_is_left_alone_and_the_others_are_done(batch: Batch, queue: Queue) -> None:
    held = batch.claim(queue)
    take_away("second")
    lost = (RunStatus.RUNNING, None, None)
    assert batch.perform(queue, held) == {"first": DONE, "second": lost, "third": DONE}
    assert sorted(batch.worked) == ["first", "third"]


def test_an_error_that_nobody_foresaw_is_told_by_its_kind(batch: Batch, queue: Queue) -> None:
    batch.saves["second"], batch.loads["third"] = stumble, stumble
    told = (RunStatus.FAILED, "KeyError: 'nobody foresaw this'", "InternalError")
    assert batch.perform(queue, batch.claim(queue)) == {"first": DONE, "second": told, "third": told}
