"""The events of a turn on their way to the reader: a Redis stream per fence, `turn:{id}:{fence}`.

Event ids are `{fence}-{seq}`, seq from 1 without gaps, so that a reader can tell a whole stream from a wounded one.
"""

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.errors import Transient
from shared.providers.network.breaker import Breaker
from shared.settings import Settings

MAX_EVENTS = 20_000
KEPT_SECONDS = 3600
READ_COUNT = 500
WRITE_TIMEOUT = 0.3
SPARE_CONNECTIONS = 16
TERMINAL = frozenset({"done", "cancelled", "error"})
FOLLOWED = "followed"  # ends a stream, untold: modules run after the reply, and their rows say how they end
LAST = TERMINAL | {FOLLOWED}
ALREADY_THERE = "equal or smaller"
EVENT_ID = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


class Event(NamedTuple):
    """One event of a turn; `data` is JSON."""

    fence: int
    seq: int
    kind: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """What a client sends back as Last-Event-ID."""
        return f"{self.fence}-{self.seq}"


class StreamBroken(Transient):
    """Events are missing from the stream: answer from Postgres instead."""


class TurnStream(Protocol):
    """Where the events of turns are written and read; safe to share between threads."""

    def append(self, turn_id: object, fence: int, events: Sequence[Event]) -> bool:
        """Add events in order; never raises. False means try again later; what is there already is skipped."""
        ...

    def events(
        self, turn_id: object, fence: int, *, after: str | None = None, block_seconds: float = 1.5
    ) -> Iterator[Event | None]:
        """Yield events after the id `after`, and None after `block_seconds` without one; ends after one of `LAST`.

        Raises StreamBroken when an event is missing. Yields None too while the broker is down.
        """
        ...


def parse_event_id(event_id: str | None) -> tuple[int, int] | None:
    """Return (fence, seq) of an event id, or None for what is not one: a client may send anything."""
    parts = EVENT_ID.fullmatch(event_id or "")
    return (int(parts[1]), int(parts[2])) if parts else None


def start_after(fence: int, after: str | None) -> int:
    """Return the seq already seen of this fence: 0 when `after` is another fence's or nonsense."""
    seen = parse_event_id(after)
    return seen[1] if seen and seen[0] == fence else 0


class RedisTurnStream:
    """The real one; a pool of its own, because a blocked reader holds a connection."""

    def __init__(self, url: str, *, connections: int = 300, breaker_seconds: float = 2.0) -> None:
        options = {"protocol": 2, "decode_responses": True, "socket_connect_timeout": WRITE_TIMEOUT}
        retry = Retry(NoBackoff(), 1)  # a connection that died while idle; the explicit ids make it harmless
        self._writer = redis.Redis.from_url(
            url, socket_timeout=WRITE_TIMEOUT, max_connections=connections, retry=retry, **options
        )
        self._reader_url = url
        self._reader_options = options | {"max_connections": connections, "retry": Retry(NoBackoff(), 0)}
        self._readers: dict[float, redis.Redis] = {}
        self._lock = threading.Lock()
        self._breaker = Breaker("the broker, for turn events,", breaker_seconds)
        self._breaker_seconds = breaker_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, turn_id: object, fence: int, events: Sequence[Event]) -> bool:
        """Add in one round trip."""
        if self._breaker.is_open:
            return False
        key = stream_key(turn_id, fence)
        pipeline = self._writer.pipeline(transaction=False)
        for event in events:
            # Encoded here: hiredis raises for half a character, whatever the client's `encoding_errors`.
            data = json.dumps(event.data, ensure_ascii=False).encode("utf-8", "replace")
            fields: dict[Any, Any] = {"kind": event.kind, "data": data}
            pipeline.xadd(key, fields, id=event.id, maxlen=MAX_EVENTS, approximate=True)
        pipeline.expire(key, KEPT_SECONDS)
        try:
            _require_added(pipeline.execute(raise_on_error=False))
        except redis.RedisError as error:
            self._breaker.trip(error)
            return False
        return True

    def events(
        self, turn_id: object, fence: int, *, after: str | None = None, block_seconds: float = 1.5
    ) -> Iterator[Event | None]:
        """Read with XREAD BLOCK, a socket timeout above the block."""
        key, seq = stream_key(turn_id, fence), start_after(fence, after)
        while True:
            batch = self._read(key, fence, seq, block_seconds)
            if not batch:
                yield None
            for event in batch:
                seq = require_next(seq, event)
                yield event
                if event.kind in LAST:
                    return

    def close(self) -> None:
        """Close the connections."""
        for client in (self._writer, *self._readers.values()):
            client.close()

    def _read(self, key: str, fence: int, seq: int, block_seconds: float) -> list[Event]:
        client = self._reader(block_seconds)
        try:
            milliseconds = max(1, round(block_seconds * 1000))  # 0 would block for ever
            reply: Any = client.xread({key: f"{fence}-{seq}"}, count=READ_COUNT, block=milliseconds)
        except redis.RedisError as error:
            self._breaker.trip(error)
            time.sleep(min(block_seconds, self._breaker_seconds))
            return []
        return [_decode(*entry) for _, entries in reply or () for entry in entries]

    def _reader(self, block_seconds: float) -> redis.Redis:
        with self._lock:
            if block_seconds not in self._readers:
                self._readers[block_seconds] = redis.Redis.from_url(
                    self._reader_url, socket_timeout=block_seconds + 5, **self._reader_options
                )
            return self._readers[block_seconds]


def stream_key(turn_id: object, fence: int) -> str:
    """Return the Redis key of one attempt at a turn."""
    return f"turn:{turn_id}:{fence}"


def require_next(seq: int, event: Event) -> int:
    """Return the event's seq; raises StreamBroken unless it follows."""
    if event.seq != seq + 1:
        raise StreamBroken(f"events {event.fence}-{seq + 1} to {event.id} are gone")
    return event.seq


def _require_added(results: list[Any]) -> None:
    for result in results:
        if isinstance(result, redis.ResponseError) and ALREADY_THERE in str(result):
            continue
        if isinstance(result, redis.RedisError):
            raise result


def _decode(event_id: str, fields: dict[str, str]) -> Event:
    fence, _, seq = event_id.partition("-")
    return Event(int(fence), int(seq), fields["kind"], json.loads(fields["data"]))


def connect_turn_stream(settings: Settings) -> RedisTurnStream:
    """Return the stream on the settings' broker, with a connection for each gateway thread."""
    return RedisTurnStream(
        settings.require_redis_url(),
        connections=settings.gateway_threads + SPARE_CONNECTIONS,
        breaker_seconds=settings.breaker_seconds,
    )


class FakeTurnStream:
    """In memory, with the same ids, gaps and ends; `is_down` makes it refuse as a dead broker does."""

    def __init__(self) -> None:
        self.is_down = False
        self._streams: dict[str, list[Event]] = defaultdict(list)
        self._changed = threading.Condition()

    def append(self, turn_id: object, fence: int, events: Sequence[Event]) -> bool:
        """Add, and wake the readers."""
        with self._changed:
            if self.is_down:
                return False
            stream = self._streams[stream_key(turn_id, fence)]
            stream.extend(event for event in events if not stream or event.seq > stream[-1].seq)
            self._changed.notify_all()
        return True

    def wipe(self) -> None:
        """Lose everything, as a broker without a disk does."""
        with self._changed:
            self._streams.clear()

    def events(
        self, turn_id: object, fence: int, *, after: str | None = None, block_seconds: float = 1.5
    ) -> Iterator[Event | None]:
        """Wait for events."""
        key, seq = stream_key(turn_id, fence), start_after(fence, after)
        while True:
            batch = self._wait(key, seq, block_seconds)
            if not batch:
                yield None
            for event in batch:
                seq = require_next(seq, event)
                yield event
                if event.kind in LAST:
                    return

    def _wait(self, key: str, seq: int, block_seconds: float) -> list[Event]:
        def unseen() -> list[Event]:
            return [event for event in self._streams[key] if event.seq > seq]

        with self._changed:
            self._changed.wait_for(unseen, timeout=block_seconds)
            return unseen()


class CancelBell:
    """Tells workers at once that a running row is to stop: pub/sub channel `cancel`, payload `table:id:fence`."""

    CHANNEL = "cancel"

    def __init__(self, url: str, *, breaker_seconds: float = 2.0) -> None:
        self._client = redis.Redis.from_url(
            url,
            protocol=2,
            socket_timeout=WRITE_TIMEOUT,
            socket_connect_timeout=WRITE_TIMEOUT,
            retry=Retry(NoBackoff(), 1),
        )
        self._breaker = Breaker("the broker, for cancels,", breaker_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def announce(self, table: str, row_id: int, fence: int) -> None:
        """Announce; never raises: the worker's next renewal sees a cancel that nobody heard."""
        if self._breaker.is_open:
            return
        try:
            self._client.publish(self.CHANNEL, f"{table}:{row_id}:{fence}")
        except redis.RedisError as error:
            self._breaker.trip(error)
