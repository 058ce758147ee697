"""A commit rings for the work that its transaction made ready, and nothing else does."""

from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import func, text

from shared.db import get_session
from shared.models import Fetch, PassageEmbedding
from shared.settings import get_settings
from shared.tasks import BELL, celery_app


@pytest.fixture
def broker(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setenv("PERSONAE_REDIS_URL", redis_url)
    get_settings.cache_clear()
    celery_app.cache_clear()
    BELL.close()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client
    celery_app.cache_clear()
    BELL.close()


def ready(**values: object) -> Fetch:
    return Fetch(owner_id="ada", url="http://x/", ready_at=func.clock_timestamp(), **values)


def fail_with(row: Fetch) -> None:
    with get_session() as session:
        session.add(row)
        session.flush()
        raise ZeroDivisionError


def waiting(broker: redis.Redis) -> dict[str, int]:
    return {queue: count for queue in ("modules", "embedding") if (count := int(str(broker.llen(queue))))}


def test_a_commit_rings_once_for_each_queue(broker: redis.Redis) -> None:
    with get_session() as session:
        session.add_all([ready(), ready(), PassageEmbedding(hashes=["a"], ready_at=func.clock_timestamp())])
        session.flush()
        session.expire_all()
        assert waiting(broker) == {}, "before the commit nobody would find the rows"
    assert waiting(broker) == {"modules": 1, "embedding": 1}


def test_what_is_blocked_or_undone_rings_for_nobody(broker: redis.Redis) -> None:
    with get_session() as session:
        session.add(Fetch(owner_id="ada", url="http://x/"))
    with pytest.raises(ZeroDivisionError):
        fail_with(ready())
    assert waiting(broker) == {}


def test_a_savepoint_neither_rings_too_early_nor_takes_back_what_was_made_ready_before(broker: redis.Redis) -> None:
    with get_session() as session:
        session.add(ready())
        with session.begin_nested():
            session.add(PassageEmbedding(hashes=["a"], ready_at=func.clock_timestamp()))
        assert waiting(broker) == {}
        with session.begin_nested() as attempt:
            session.execute(text("SELECT 1"))
            attempt.rollback()
    assert waiting(broker) == {"modules": 1, "embedding": 1}
