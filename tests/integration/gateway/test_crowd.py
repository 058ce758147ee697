"""Nobody waits for each other in a ring, whatever two do to the same rows at once."""

import io
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import cycle, product
from random import Random, SystemRandom

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select, text
from werkzeug.test import TestResponse

from gateway import create_app
from services import work as handling
from shared import db
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.models import DocumentURI, Message
from shared.queries.accounts import keys
from shared.queries.dialogue import messages
from shared.queries.scope import Scope
from shared.settings import get_settings
from shared.tasks import QUEUES
from tests.integration.gateway import crowd
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.test_locks import beside, is_free
from tests.processes import until

SECONDS = float(os.environ.get("CROWD_SECONDS", "5"))
COUPLES = 3
SAID = {"role": "user", "content": "Good day"}
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = :name"
OTHERS = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = :name"


@pytest.fixture
def crowded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of our own, in which a ring is found at once, and workers whose models say little."""
    monkeypatch.setattr(handling, "HANDLERS", {queue.name: {} for queue in QUEUES})
    crowd.declare()
    for name, value in {"MEMORY_START": "3", "MEMORY_SIZE": "2", "WATCH_SECONDS": "0", "DB_POOL_SIZE": "12"}.items():
        monkeypatch.setenv(f"PERSONAE_{name}", value)
    get_settings.cache_clear()
    name = database_url.rpartition("/")[2]
    with get_session() as session:
        for setting in ("deadlock_timeout = '50ms'", "log_error_verbosity = default"):  # both sides are in its log
            session.execute(text(f"ALTER DATABASE {name} SET {setting}"))
    db.close_engine()
    return name


def deadlocks(url: str, name: str) -> int:
    """Count the rings that Postgres broke, when every connection has told its own."""
    db.close_engine()
    administrator = create_engine(url.rpartition("/")[0] + "/postgres", isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        until(lambda: connection.scalar(text(OTHERS), {"name": name}))
        found = connection.scalar(text(DEADLOCKS), {"name": name})
    administrator.dispose()
    return int(found or 0)


def couple(
    app: APIFlask, key: str, seed: int, until_: float, tally: Counter[str]
) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Have two act at once, in pairs of acts as chance has it; return how often, and what went wrong."""
    random, done, faults = Random(seed), Counter(), []
    pairs = list(product(crowd.ACTS, repeat=2))
    random.shuffle(pairs)
    with ThreadPoolExecutor(2) as both:
        for pair in cycle(pairs):
            if time.monotonic() > until_:
                return done, faults
            actors = [crowd.Actor(client_with(app, key), Random(random.random()), tally) for _ in pair]
            acting = [both.submit(crowd.act, actor, [name]) for actor, name in zip(actors, pair, strict=True)]
            faults += [f"{' / '.join(pair)}: {fault}" for future in acting for fault in future.result()]
            done[pair] += 1
    return done, faults


@pytest.fixture
def everything(database_url: str) -> str:
    """A key that may do everything, in a database with real commits."""
    with get_session() as session:
        return keys.add(session, Scope("default"), name="crowd", scopes=list(Permission)).key


def upload(client: FlaskClient, persona_id: str, contents: list[bytes]) -> None:
    parts = [(io.BytesIO(content), name) for content, name in zip(contents, crowd.NAMES, strict=False)]
    assert client.post(f"/api/v1/personas/{persona_id}/upload/works", data={"files": parts}).status_code == 201


def test_an_upload_locks_the_places_of_its_files_in_one_order(everything: str, tmp_path) -> None:
    client = client_with(create_app(settings_for_tests(data_dir=tmp_path)), everything)
    persona_id = client.post("/api/v1/personas", json={"name": "Tesla", "template": "T"}).json["id"]
    upload(client, persona_id, [b"a coil", b"a tower"])
    others = sorted((b"a pigeon", b"a hat"), key=lambda content: sha256(content).hexdigest(), reverse=True)
    with beside(lambda session: upload(client, persona_id, others)) as (session, sends):
        first, second = session.scalars(select(DocumentURI.id).order_by(DocumentURI.uri)).all()
        session.execute(select(DocumentURI.id).where(DocumentURI.id == first).with_for_update())
        assert not sends().done()
        assert is_free(session, DocumentURI.id, second)


def test_what_is_deleted_while_it_is_changed_is_not_found(everything: str, tmp_path) -> None:
    client = client_with(create_app(settings_for_tests(data_dir=tmp_path)), everything)
    conversation_id = client.post("/api/v1/conversations", json={}).json["id"]
    said = client.post(f"/api/v1/conversations/{conversation_id}/messages/import", json={"messages": [SAID]})
    assert said.status_code == 201
    with get_session() as session:
        (message,) = session.scalars(select(Message)).all()
    answers: list[TestResponse] = []

    def change(session: Session) -> None:
        answers.append(client.put(f"/api/v1/messages/{message.id}", json={"content": "Good evening"}))

    with beside(change) as (session, changes):
        messages.delete_(session, Scope("default"), message.id)
        assert not changes().done()
    assert [answer.status_code for answer in answers] == [404]


def test_no_two_acts_wait_for_each_other_in_a_ring(
    crowded: str, everything: str, database_url: str, tmp_path, caplog
) -> None:
    seed = int(os.environ.get("CROWD_SEED", SystemRandom().randrange(10**6)))
    app = create_app(settings_for_tests(data_dir=tmp_path))
    for _ in range(crowd.FEW):
        crowd.furnish(crowd.Actor(client_with(app, everything), Random(seed), Counter()))
    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(COUPLES) as couples:
        tallies = [Counter[str]() for _ in range(COUPLES)]
        acting = [couples.submit(couple, app, everything, seed + n, end, tally) for n, tally in enumerate(tallies)]
        ended = [future.result() for future in acting]
    done, faults = sum((each[0] for each in ended), Counter()), [fault for each in ended for fault in each[1]]
    told = f"seed {seed}: {done.total()} pairs, {len(done)} kinds of them"
    came = sum(tallies, Counter())
    print(told, dict(came))  # noqa: T201
    reasons = [vars(each).get("reason", each.exc_text) for each in caplog.records if each.name == "gateway.http.errors"]
    assert (deadlocks(database_url, crowded), faults) == (0, []), "\n".join(map(str, [told, *faults, *reasons]))
    assert came["done"] > came["asked"] / 3, "most acts meet something that is there"
    assert came["settled"] > done.total()
