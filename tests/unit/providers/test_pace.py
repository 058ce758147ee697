"""How often a turn's events go out."""

import threading
from collections.abc import Sequence
from itertools import islice

import pytest

from shared.providers.stream.pace import Pacer, TurnWriter
from shared.providers.stream.stream import Event, FakeTurnStream, StreamBroken, parse_event_id, start_after


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stream() -> FakeTurnStream:
    return FakeTurnStream()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(stream: FakeTurnStream, clock: Clock) -> TurnWriter:
    return TurnWriter(stream, 7, 1, clock=clock)


def sent(stream: FakeTurnStream) -> list[tuple[str, object]]:
    events = stream.events(7, 1, block_seconds=0)
    written = iter(lambda: next(events, None), None)
    return [(event.kind, event.data.get("text", event.data)) for event in written]


def test_the_first_token_goes_at_once_and_later_ones_together(
    stream: FakeTurnStream, writer: TurnWriter, clock: Clock
) -> None:
    for piece in ("a", "b", "c"):
        writer.token(piece)
    assert sent(stream) == [("token", "a")]
    clock.now += 0.05
    writer.token("d")
    assert sent(stream) == [("token", "a"), ("token", "bcd")]


def test_the_first_token_goes_at_once_right_after_another_event(stream: FakeTurnStream, writer: TurnWriter) -> None:
    writer.send("turn", {"n": 1})
    writer.thinking("hm")
    writer.token("a")
    assert [kind for kind, _ in sent(stream)] == ["turn", "thinking", "token"]


def test_other_events_come_after_what_is_held(stream: FakeTurnStream, writer: TurnWriter) -> None:
    for piece in ("a", "b"):
        writer.token(piece)
    writer.send("done", {})
    assert sent(stream) == [("token", "a"), ("token", "b"), ("done", {})]


def test_what_is_held_goes_out_when_it_is_due(stream: FakeTurnStream, writer: TurnWriter, clock: Clock) -> None:
    writer.token("a")
    writer.token("b")
    writer.flush_if_due()
    assert len(sent(stream)) == 1
    clock.now += 0.05
    writer.flush_if_due()
    assert len(sent(stream)) == 2


def test_a_silent_model_leaves_nothing_held(stream: FakeTurnStream) -> None:
    with TurnWriter(stream, 7, 1) as writer:
        writer.token("a")
        writer.token("b")
        events = [event for event in islice(stream.events(7, 1, block_seconds=5), 2) if event]
    assert [event.data["text"] for event in events] == ["a", "b"]


class BrokenStream(FakeTurnStream):
    """Raises, though it promised not to; says when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.was_asked = threading.Event()

    def append(self, turn_id: object, fence: int, events: Sequence[Event]) -> bool:
        self.was_asked.set()
        raise ValueError("against the promise")


def test_a_turn_whose_events_cannot_be_sent_leaves_the_other_turns_their_thread(
    stream: FakeTurnStream, caplog: pytest.LogCaptureFixture
) -> None:
    broken, pacer = BrokenStream(), Pacer(interval=0.001)
    writers = [TurnWriter(where, 7, 1, hold_seconds=float("-inf")) for where in (broken, stream)]
    with pytest.raises(ValueError, match="promise"):
        writers[0].token("a")
    broken.was_asked.clear()
    pacer.add(writers[0])
    assert broken.was_asked.wait(5)
    stream.is_down = True
    writers[1].token("b")
    stream.is_down = False
    pacer.add(writers[1])
    assert next(stream.events(7, 1, block_seconds=5)) == Event(1, 1, "token", {"text": "b"})
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_what_a_dead_broker_refused_is_sent_when_it_is_back(
    stream: FakeTurnStream, writer: TurnWriter, clock: Clock
) -> None:
    stream.is_down = True
    writer.token("a")
    writer.send("stage", {"n": 4})
    stream.is_down = False
    clock.now += 1
    writer.token("b")
    assert sent(stream) == [("token", "a"), ("stage", {"n": 4}), ("token", "b")]


def test_a_wiped_stream_is_broken_for_its_readers(stream: FakeTurnStream, writer: TurnWriter) -> None:
    writer.send("turn", {})
    stream.wipe()
    writer.send("token", {})
    with pytest.raises(StreamBroken):
        next(stream.events(7, 1))


def test_events_sent_twice_are_there_once(stream: FakeTurnStream) -> None:
    first, second = Event(1, 1, "turn", {}), Event(1, 2, "done", {})
    stream.append(7, 1, [first])
    stream.append(7, 1, [first, second])
    assert list(stream.events(7, 1)) == [first, second]


@pytest.mark.parametrize(
    ("after", "seq"),
    [("2-5", 5), ("1-5", 0), (None, 0), ("", 0), ("nonsense", 0), ("2-", 0), ("2-5-7", 0), ("-1-2", 0)],
)
def test_a_last_event_id_counts_for_its_own_fence_only(after: str | None, seq: int) -> None:
    assert start_after(2, after) == seq


def test_an_event_id_reads_back() -> None:
    assert parse_event_id(Event(3, 9, "token", {}).id) == (3, 9)
