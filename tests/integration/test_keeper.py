"""What renews leases and hears cancels outlives whatever it meets; without it nothing is claimed."""

import time
from collections.abc import Iterator

import pytest
import redis
from redis.client import PubSub

from services import leases, work
from services.leases import CANCEL_CHANNEL, Held, Keeper
from shared.models import Turn
from shared.queries.work.engine import Claim
from shared.settings import get_settings
from shared.tasks import DIALOGUE
from tests.processes import until

STRANGE = [b"", b"turns", b"turns:1", b"turns:1:2:3", b"turns:one:two", b"\xff\xfe:1:1", b"turns:1:" + b"9" * 5000]


@pytest.fixture(autouse=True)
def renewing_fast(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PERSONAE_REDIS_URL", redis_url)
    monkeypatch.setenv("PERSONAE_RENEW_SECONDS", "0.1")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def keeper(renewing_fast: None) -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close()


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def hold(keeper: Keeper, id: int = 1) -> Held:
    held = Held(Claim(Turn, id, 1, 0, 3, 0, {}, more=False), DIALOGUE.name, max_runtime=60)
    keeper.take([held])
    return held


@pytest.mark.capability("C133")
@pytest.mark.parametrize("payload", STRANGE)
def test_a_strange_payload_does_not_end_the_hearing_of_cancels(
    broker: redis.Redis, keeper: Keeper, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: broker.publish(CANCEL_CHANNEL, payload))
    until(lambda: "a cancel that names no row" in caplog.text)
    heard: list[object] = []
    keeper.hear = heard.append  # type: ignore[method-assign]
    until(lambda: broker.publish(CANCEL_CHANNEL, "turns:7:1") and heard, 10)
    assert heard[0] == ("turns", 7, 1)


@pytest.mark.parametrize("error", [ValueError("closed already"), KeyError("gone"), AttributeError("half made")])
def test_what_cannot_be_closed_ends_no_thread_and_keeps_nothing_else_open(
    keeper: Keeper, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[int] = []

    def fail() -> None:
        raise error

    held = hold(keeper)  # there is no such row: the next renewal finds it lost
    held.closes(fail)
    held.closes(lambda: closed.append(1))
    until(lambda: held.why == "lost")
    until(lambda: closed == [1])
    renewed = keeper._renewed
    until(lambda: keeper._renewed > renewed)
    held.closes(fail)
    assert keeper.may_claim()
    assert str(error) in caplog.text


def test_a_subscription_that_breaks_in_a_way_nobody_foresaw_is_made_anew(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors = iter([RuntimeError("pubsub connection not set"), AttributeError("no socket")])
    listen = PubSub.get_message

    def get_message(self: PubSub, *args: object, **options: object) -> object:
        for error in errors:
            raise error
        return listen(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(PubSub, "get_message", get_message)
    keeper = Keeper()
    heard: list[object] = []
    keeper.hear = heard.append  # type: ignore[method-assign]
    until(lambda: broker.publish(CANCEL_CHANNEL, "turns:7:1") and heard)
    keeper.close()
    assert "pubsub connection not set" in caplog.text


def test_a_renewal_that_fails_in_a_way_nobody_foresaw_is_tried_again(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    errors = iter([RuntimeError("dictionary changed size during iteration")])
    check_in = leases.workers.check_in

    def fail_once(*args: object, **values: object) -> None:
        for error in errors:
            raise error
        check_in(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(leases.workers, "check_in", fail_once)
    until(lambda: "dictionary changed size" in caplog.text)
    renewed = keeper._renewed
    until(lambda: keeper._renewed > renewed)


def test_who_has_not_renewed_for_half_a_lease_claims_nothing(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.close()
    claims: list[str] = []
    monkeypatch.setattr(leases, "keeper", lambda: keeper)
    monkeypatch.setattr(work, "_claim", lambda queue, worker, suspects: claims.append(queue.name) or [])
    half = get_settings().lease_seconds / 2
    keeper._renewed = time.monotonic() - half + 5
    assert not work._claim_and_perform(DIALOGUE, rings=False)
    keeper._renewed = time.monotonic() - half
    assert not work._claim_and_perform(DIALOGUE, rings=False)
    assert claims == [DIALOGUE.name]
    assert "nothing is claimed" in caplog.text
    assert keeper.suspect.acquire(blocking=False), "it is given back"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_claim_starts_a_thread_again_that_had_ended(
    broker: redis.Redis, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = keeper._loops[1]

    def end(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(leases, "_key_in", end)
        until(lambda: broker.publish(CANCEL_CHANNEL, "turns:7:1") and not listening.is_alive)
    assert keeper.may_claim()
    assert listening.is_alive
