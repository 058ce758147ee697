"""A turn's events on their way to a client: every one once, in order, whatever is cut, lost or started again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree

from gateway.streaming import relay
from gateway.streaming.relay import RECONNECT, Leaving, TurnState, written_out
from shared.domain.lifecycle import RunStatus
from shared.providers.stream.stream import FOLLOWED, Event, FakeTurnStream
from shared.queries.dialogue.post_response import AfterReply

TURN = 7
MESSAGE = {"id": "m", "content": "w1 w2 w3"}


def running(fence: int = 1) -> TurnState:
    return TurnState(TURN, RunStatus.RUNNING, fence, None, None)


def ended(status: RunStatus = RunStatus.COMPLETED, fence: int = 1, **values: object) -> TurnState:
    return TurnState(TURN, status, fence, **({"error": None, "message": MESSAGE} | values))


def attempt(fence: int, words: int = 8, *, whole: bool = True) -> list[Event]:
    """The events of an attempt; one after the first begins with `restart`."""
    kinds = ["restart"] if fence > 1 else []
    kinds += ["turn", *["token"] * words, *(["message", "done"] if whole else [])]
    return [Event(fence, seq, kind, {"n": seq}) for seq, kind in enumerate(kinds, 1)]


def told(events: Iterator[Event | None]) -> list[Event]:
    """Everything that is told until the end, quiet ticks left out."""
    return [event for event in events if event is not None]


@pytest.fixture
def stream() -> FakeTurnStream:
    return FakeTurnStream()


def written(stream: FakeTurnStream, events: list[Event]) -> list[Event]:
    assert stream.append(TURN, events[0].fence, events)
    return events


@pytest.mark.capability("C162")
def test_a_whole_attempt_is_told_once_and_in_order(stream: FakeTurnStream) -> None:
    events = written(stream, attempt(1))
    assert told(relay.relay(stream, running)) == events


@pytest.mark.capability("C162")
@pytest.mark.parametrize("cut", range(1, 11))
def test_after_a_cut_the_rest_follows_once_and_in_order(stream: FakeTurnStream, cut: int) -> None:
    events = written(stream, attempt(1))
    first = relay.relay(stream, running)
    before = [next(first) for _ in range(cut)]
    first.close()
    after = told(relay.relay(stream, running, before[-1].id if before[-1] else None))
    assert before + after == events


@pytest.mark.capability("C162")
def test_another_gateway_process_resumes_as_well(stream: FakeTurnStream) -> None:
    events = written(stream, attempt(1))
    readers = [relay.relay(stream, running, after) for after in (None, "1-5")]
    assert [next(readers[0]) for _ in range(5)] + told(readers[1]) == events


@pytest.mark.capability("C162")
def test_a_client_that_comes_after_the_end_of_its_attempt_gets_the_next_one_whole(stream: FakeTurnStream) -> None:
    written(stream, attempt(1, 3, whole=False))
    second = written(stream, attempt(2))
    events = told(relay.relay(stream, lambda: running(2), "1-4"))
    assert events == second
    assert events[0].kind == "restart"


@pytest.mark.capability("C162")
def test_when_a_worker_is_lost_the_client_hears_restart_and_then_the_whole_reply(stream: FakeTurnStream) -> None:
    first = written(stream, attempt(1, 3, whole=False))
    state = running(1)
    events = relay.relay(stream, lambda: state)
    heard = [next(events) for _ in first]
    state, second = running(2), written(stream, attempt(2))
    assert heard + told(events) == first + second


@pytest.mark.capability("C162")
def test_a_turn_that_waits_is_followed_into_its_attempt(stream: FakeTurnStream) -> None:
    events = relay.relay(stream, lambda: TurnState(TURN, RunStatus.PENDING, 0, None, None))
    whole = written(stream, attempt(1))
    assert told(events) == whole


@pytest.mark.capability("C162")
def test_when_the_stream_is_gone_the_rows_answer(stream: FakeTurnStream) -> None:
    written(stream, attempt(1))
    stream.wipe()
    events = told(relay.relay(stream, ended, "1-5"))
    assert [(event.kind, event.data) for event in events] == [
        ("restart", {"turn_id": TURN}),
        ("message", MESSAGE),
        ("done", {}),
    ]


@pytest.mark.capability("C162")
def test_a_stream_with_a_hole_is_not_told_as_whole(stream: FakeTurnStream) -> None:
    events = attempt(1)
    written(stream, events[:3])
    written(stream, events[6:])
    heard = told(relay.relay(stream, ended))
    assert [event.kind for event in heard[3:]] == ["restart", "message", "done"]


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (ended(RunStatus.CANCELLED), ["restart", "message", "cancelled"]),
        (ended(RunStatus.CANCELLED, fence=0, error="deleted", message=None), ["restart", "cancelled"]),
        (ended(RunStatus.FAILED, error="no model", message=None), ["restart", "error"]),
    ],
    ids=["cancelled", "deleted", "failed"],
)
def test_each_end_is_told_from_the_rows(stream: FakeTurnStream, state: TurnState, kinds: list[str]) -> None:
    assert [event.kind for event in told(relay.relay(stream, lambda: state))] == kinds


class Flaky:
    """Reads rows while the database comes and goes."""

    def __init__(self, *rows: TurnState | Exception) -> None:
        self._rows = iter(rows)

    def __call__(self) -> TurnState:
        row = next(self._rows)
        if isinstance(row, Exception):
            raise row
        return row


AWAY = [OperationalError("SELECT", {}, Exception("gone")), InterfaceError("SELECT", {}, Exception("gone")), NoneFree()]


@pytest.mark.parametrize("away", AWAY, ids=lambda error: type(error).__name__)
def test_a_stream_outlives_the_database_that_goes_away_and_comes_back(
    stream: FakeTurnStream, monkeypatch: pytest.MonkeyPatch, away: Exception
) -> None:
    monkeypatch.setattr(relay, "TICK", 0.001)
    begun = written(stream, attempt(1, 3, whole=False))
    events = relay.relay(stream, Flaky(away, running(), away, away, running(2), running(2)))
    assert [next(events) for _ in range(7)] == [None, *begun, None, None]
    second = written(stream, attempt(2))
    assert told(events) == second


def test_a_broken_stream_waits_for_the_rows_while_the_database_is_away(
    stream: FakeTurnStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "TICK", 0.001)
    written(stream, attempt(1)[3:])
    heard = list(relay.relay(stream, Flaky(running(), AWAY[0], running(), ended())))
    assert [event and event.kind for event in heard] == [None, None, "restart", "message", "done"]


COUNTER = {"module": "counter", "stage": 4, "status": "ok", "seconds": 0.1, "warnings": []}
JUDGE = {"module": "judge", "stage": 5, "status": "failed", "message": "no model"}
ENDS = [(relay.AFTER_REPLY + 1, {k: COUNTER[k] for k in ("module", "stage", "status")}), (relay.AFTER_REPLY + 2, JUDGE)]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "PAUSES", (0.001,))
    monkeypatch.setattr(relay, "TICK", 0.001)


def followed(*entries: dict, waiting: tuple[str, ...] = (), is_late: bool = False) -> TurnState:
    """A turn with a saved reply, of whose modules these have ended."""
    return ended(after_reply=AfterReply(entries, waiting, is_late))


def reply_with_modules(stream: FakeTurnStream) -> list[Event]:
    """Write a reply that modules follow; return what of it is told."""
    words = attempt(1, 3, whole=False)
    message = Event(1, 5, "message", MESSAGE)
    written(stream, [*words, message, Event(1, 6, FOLLOWED, {})])
    return [*words, message]


def ends(events: list[Event]) -> list[tuple[int, dict]]:
    return [(event.seq, event.data) for event in events if event.kind == "post_response"]


@pytest.mark.capability("C162")
def test_modules_after_the_reply_are_told_as_they_end_and_then_done(stream: FakeTurnStream, at_once: None) -> None:
    reply = reply_with_modules(stream)
    rows = Flaky(running(), followed(waiting=("counter", "judge")), followed(COUNTER, waiting=("judge",)), AWAY[0],
                 followed(COUNTER, JUDGE))  # fmt: skip
    heard = told(relay.relay(stream, rows))
    assert heard[:5] == reply
    assert ends(heard) == ENDS
    assert (heard[-1].kind, heard[-1].data) == ("done", {})


@pytest.mark.capability("C162")
def test_a_module_that_takes_too_long_is_named_and_no_longer_waited_for(stream: FakeTurnStream, at_once: None) -> None:
    reply_with_modules(stream)
    late = followed(COUNTER, waiting=("judge",), is_late=True)
    heard = told(relay.relay(stream, Flaky(running(), followed(waiting=("counter", "judge")), late)))
    assert ends(heard) == ENDS[:1]
    assert (heard[-1].kind, heard[-1].data) == ("done", {"unfinished": ["judge"]})


@pytest.mark.capability("C162")
@pytest.mark.parametrize("has_stream", [True, False], ids=["with its stream", "from the rows alone"])
@pytest.mark.parametrize(("after", "rest"), [("1-5", ENDS), (f"1-{ENDS[0][0]}", ENDS[1:]), (f"1-{ENDS[1][0]}", [])])
def test_after_a_cut_behind_the_reply_the_ends_follow_once(
    stream: FakeTurnStream, after: str, rest: list, has_stream: bool
) -> None:
    reply_with_modules(stream)
    if not has_stream:
        stream.wipe()
    heard = told(relay.relay(stream, lambda: followed(COUNTER, JUDGE), after))
    assert ends(heard) == rest
    assert heard[-1].kind == "done"


STRANGE = ["nonsense", "-", "2-4", "1-0", f"1-{relay.AFTER_REPLY + 1}", "1-" + "9" * 5000, "1-\u0662"]


@pytest.mark.capability("C162")
@pytest.mark.parametrize("after", STRANGE)
def test_an_id_that_the_turn_never_gave_makes_the_client_begin_anew(stream: FakeTurnStream, after: str) -> None:
    events = written(stream, attempt(1))
    restart, *heard = told(relay.relay(stream, running, after))
    assert (restart.kind, restart.seq) == ("restart", 0)
    assert heard == events


def test_an_event_is_written_with_its_id_and_one_from_the_rows_without() -> None:
    assert written_out(Event(2, 5, "token", {"text": "ă\n"})) == 'id: 2-5\nevent: token\ndata: {"text": "ă\\n"}\n\n'
    assert written_out(Event(2, 0, "done", {})) == "event: done\ndata: {}\n\n"


def test_a_client_hears_at_once_how_soon_to_come_back(stream: FakeTurnStream) -> None:
    assert next(relay.server_sent(relay.relay(stream, running))) == "retry: 1000\n\n"


def test_a_leaving_process_sends_its_clients_on_after_an_event_that_is_not_the_last(stream: FakeTurnStream) -> None:
    events, leaving = written(stream, attempt(1)), Leaving()
    lines = relay.server_sent(relay.relay(stream, running), leaving)
    heard = [next(lines) for _ in range(4)]
    leaving.set()
    heard += lines
    assert heard[1:] == [*map(written_out, events[:3]), RECONNECT]


def test_a_client_that_is_sent_on_goes_on_behind_what_it_heard(stream: FakeTurnStream) -> None:
    events, leaving = written(stream, attempt(1)), Leaving()
    leaving.set()
    first = list(relay.server_sent(relay.relay(stream, running), leaving))
    rest = list(relay.server_sent(relay.relay(stream, running, events[0].id), Leaving()))
    assert first[1:-1] + rest[1:] == [*map(written_out, events)]


def test_a_quiet_stream_of_a_leaving_process_ends_at_its_next_tick() -> None:
    leaving = Leaving()
    leaving.set()
    assert list(relay.server_sent(iter([None, None]), leaving))[1:] == [RECONNECT]


def test_a_reply_that_has_ended_is_told_whole_by_a_leaving_process() -> None:
    leaving = Leaving()
    leaving.set()
    done = Event(1, 9, "done", {})
    assert list(relay.server_sent(iter([done]), leaving))[1:] == [written_out(done)]


def test_a_failure_is_told_in_the_shape_of_every_error(stream: FakeTurnStream) -> None:
    state = ended(RunStatus.FAILED, error="no model", message=None)
    *_, end = told(relay.relay(stream, lambda: state))
    assert (end.data["error"], end.data["error_type"], end.data["status_code"]) == ("no model", "WorkFailed", 502)
    assert {"correlation_id", "timestamp"} <= end.data.keys()


def test_who_listens_while_a_turn_waits_hears_why_and_how_long(stream: FakeTurnStream) -> None:
    due = datetime.now(UTC) + timedelta(seconds=29.5)
    rows = iter([TurnState(TURN, RunStatus.ERROR, 1, "the chat server is too busy (429)", None, due=due)])
    second = written(stream, attempt(2))
    waiting, *rest = told(relay.relay(stream, lambda: next(rows, running(2))))
    assert (waiting.kind, waiting.seq, rest) == ("waiting", 0, second)
    assert (
        waiting.data["reason"] == f"the chat server is too busy (429); trying again in {waiting.data['retry_after']} s"
    )
    assert 20 < waiting.data["retry_after"] <= 30
