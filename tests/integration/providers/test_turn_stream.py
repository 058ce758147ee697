"""Turn events over a real broker, and over the fake that shares its promises."""

import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from deploy.local.data.ports import free_port
from shared.providers.stream.pace import TurnWriter
from shared.providers.stream.stream import (
    KEPT_SECONDS,
    CancelBell,
    Event,
    FakeTurnStream,
    RedisTurnStream,
    StreamBroken,
    TurnStream,
    stream_key,
)
from tests.processes import allowed


@pytest.fixture(params=["redis", "fake"])
def stream(request: pytest.FixtureRequest) -> Iterator[TurnStream]:
    if request.param == "fake":
        yield FakeTurnStream()
    else:
        with RedisTurnStream(request.getfixturevalue("redis_url")) as stream:
            yield stream


@pytest.fixture
def turn_id() -> str:
    return uuid4().hex


def events_of(*kinds: str, fence: int = 1, first: int = 1) -> list[Event]:
    return [Event(fence, first + i, kind, {"text": f"țară {i}"}) for i, kind in enumerate(kinds)]


@pytest.mark.capability("C162")
def test_events_are_read_once_in_order_from_any_place(stream: TurnStream, turn_id: str) -> None:
    written = events_of("turn", "token", "token", "message", "done")
    assert stream.append(turn_id, 1, written)
    assert list(stream.events(turn_id, 1)) == written
    assert list(stream.events(turn_id, 1, after="1-3")) == written[3:]


def test_a_last_event_id_of_an_earlier_attempt_starts_anew(stream: TurnStream, turn_id: str) -> None:
    written = events_of("restart", "done", fence=2)
    stream.append(turn_id, 2, written)
    assert list(stream.events(turn_id, 2, after="1-7")) == written


def test_attempts_do_not_mix(stream: TurnStream, turn_id: str) -> None:
    stream.append(turn_id, 1, events_of("token"))
    stream.append(turn_id, 2, events_of("restart", "done", fence=2))
    assert [event.fence for event in stream.events(turn_id, 2) if event] == [2, 2]


def test_a_reader_gets_ticks_while_nothing_happens(stream: TurnStream, turn_id: str) -> None:
    events = stream.events(turn_id, 1, block_seconds=0.02)
    assert [next(events), next(events)] == [None, None]


def test_a_blocked_reader_wakes_for_an_event(stream: TurnStream, turn_id: str) -> None:
    reading = stream.events(turn_id, 1, block_seconds=10)
    threading.Timer(0.05, stream.append, (turn_id, 1, events_of("token"))).start()
    started = time.monotonic()
    assert next(reading) == events_of("token")[0]
    assert time.monotonic() - started < allowed(3)


def test_what_is_there_already_is_skipped(stream: TurnStream, turn_id: str) -> None:
    written = events_of("turn", "token", "done")
    stream.append(turn_id, 1, written[:2])
    assert stream.append(turn_id, 1, written)
    assert list(stream.events(turn_id, 1)) == written


def test_text_that_cannot_be_encoded_is_replaced_and_raises_nothing(redis_url: str, turn_id: str) -> None:
    with RedisTurnStream(redis_url) as stream:
        assert stream.append(turn_id, 1, [Event(1, 1, "token", {"text": "a\ud83d"})])
        assert next(stream.events(turn_id, 1)) == Event(1, 1, "token", {"text": "a?"})


def test_a_missing_event_breaks_the_stream(stream: TurnStream, turn_id: str) -> None:
    stream.append(turn_id, 1, events_of("token", first=3))
    with pytest.raises(StreamBroken):
        next(stream.events(turn_id, 1))


def test_a_writer_and_a_reader_agree(stream: TurnStream, turn_id: str) -> None:
    with TurnWriter(stream, turn_id, 1) as writer:
        writer.send("turn", {"id": turn_id})
        for piece in ("Ță", "ra", " mea"):
            writer.token(piece)
        writer.send("done", {})
    events = [event for event in stream.events(turn_id, 1) if event]
    assert "".join(event.data["text"] for event in events if event.kind == "token") == "Țăra mea"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_a_stream_does_not_stay_for_ever(redis_url: str, turn_id: str) -> None:
    with redis.Redis.from_url(redis_url) as client, RedisTurnStream(redis_url) as stream:
        stream.append(turn_id, 1, events_of("token"))
        assert 0 < client.ttl(stream_key(turn_id, 1)) <= KEPT_SECONDS


def test_a_dead_broker_costs_a_writer_little_and_raises_nothing(turn_id: str, caplog: pytest.LogCaptureFixture) -> None:
    stream = RedisTurnStream(f"redis://127.0.0.1:{free_port()}/0")
    started = time.monotonic()
    assert [stream.append(turn_id, 1, events_of("token")) for _ in range(100)] == [False] * 100
    assert time.monotonic() - started < allowed(1)
    assert len(caplog.records) == 1


def test_a_reader_ticks_while_the_broker_is_dead(turn_id: str) -> None:
    stream = RedisTurnStream(f"redis://127.0.0.1:{free_port()}/0")
    assert next(stream.events(turn_id, 1, block_seconds=0.02)) is None


@pytest.mark.capability("C162")
def test_a_reply_survives_a_broker_that_was_away(redis_url: str, turn_id: str) -> None:
    with (
        redis.Redis.from_url(redis_url) as client,
        RedisTurnStream(redis_url, breaker_seconds=0.0) as stream,
        TurnWriter(stream, turn_id, 1, hold_seconds=0) as writer,
    ):
        writer.token("a")
        client.config_set("maxmemory", 1)
        writer.token("b")
        client.config_set("maxmemory", 0)
        writer.send("done", {})
        events = [event for event in stream.events(turn_id, 1) if event]
    assert [event.data.get("text") for event in events] == ["a", "b", None]


def test_a_cancel_is_announced(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client, client.pubsub() as listener:
        listener.subscribe(CancelBell.CHANNEL)
        listener.get_message(timeout=5)
        bell = CancelBell(redis_url)
        bell.announce("turns", 7, 2)
        bell.close()
        message = listener.get_message(timeout=5)
    assert message is not None
    assert message["data"] == "turns:7:2"


def test_a_dead_broker_silences_the_announcement() -> None:
    bell = CancelBell(f"redis://127.0.0.1:{free_port()}/0")
    bell.announce("turns", 7, 2)
    bell.announce("turns", 8, 2)
