"""Health, readiness and the database, with servers that are really stopped."""

import signal
import time
from contextlib import suppress

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import create_engine

from deploy.local.data import ports, servers
from gateway import create_app
from shared import db
from shared.settings import get_settings
from tests.conftest import ROOT, wait_for_broker
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.processes import allowed


class Servers:
    """A Postgres and a broker of the test's own, to be stopped at will."""

    def __init__(self, folder):
        self.ports = (ports.free_port(), ports.free_port())
        self.log = (folder / "log").open("wb")
        servers.initialise_postgres(folder / "data", "p")
        self.postgres = servers.start_postgres(folder / "data", self.ports[0], self.log, "fsync=off")
        self.broker = servers.start_valkey(servers.write_valkey_configuration(folder, self.ports[1], "p"), self.log)
        wait_for_broker(self.redis_url)
        self.migrate()

    @property
    def database_url(self):
        return f"postgresql+psycopg2://personae:p@127.0.0.1:{self.ports[0]}/postgres"

    @property
    def redis_url(self):
        return f"redis://:p@127.0.0.1:{self.ports[1]}/0"

    def migrate(self):
        engine = create_engine(self.database_url)
        with engine.connect() as connection:
            configuration = Config(ROOT / "alembic.ini", attributes={"connection": connection})
            configuration.set_main_option("script_location", str(ROOT / "migrations"))
            command.upgrade(configuration, "head")
        engine.dispose()

    def stop(self):
        for server in (self.broker, self.postgres):
            for signal_number in (signal.SIGCONT, signal.SIGINT):
                with suppress(ProcessLookupError):
                    server.send_signal(signal_number)
            server.wait(10)
        self.log.close()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Servers that this test alone uses, named in the settings."""
    started = Servers(tmp_path)
    monkeypatch.setenv("PERSONAE_DATABASE_URL", started.database_url)
    get_settings.cache_clear()
    db.close_engine()
    yield started
    db.close_engine()
    get_settings.cache_clear()
    started.stop()


@pytest.fixture
def client(own):
    urls = {"database_url": SecretStr(own.database_url), "redis_url": SecretStr(own.redis_url)}
    model_url = f"http://127.0.0.1:{ports.free_port()}/v1"
    return create_app(settings_for_tests(**urls, model_url=model_url)).test_client()


def timed(client, path):
    begun = time.monotonic()
    response = client.get(path)
    return response, time.monotonic() - begun


@pytest.mark.capability("C2")
def test_with_all_servers_up_it_is_ready_and_says_what_is_missing_beside(client):
    response = client.get("/ready")
    assert (response.status_code, response.json["status"]) == (200, "ready")
    assert response.json["degraded"] == {
        "chat": "the chat server cannot be reached: is it running?",
        "embedding": "the embedding server cannot be reached: is it running?",
    }


@pytest.mark.capability("C2")
@pytest.mark.parametrize("name", ["postgres", "broker"])
def test_a_stopped_server_is_named_in_time(client, own, name):
    server = getattr(own, name)
    server.send_signal(signal.SIGINT)
    server.wait(10)
    response, seconds = timed(client, "/ready")
    assert (response.status_code, list(response.json["details"]["down"])) == (503, [name])
    assert seconds < allowed(2)
    assert client.get("/health").status_code == 200


@pytest.mark.capability("C2")
def test_a_frozen_server_is_named_in_time_however_often_one_asks(client, own):
    own.broker.send_signal(signal.SIGSTOP)
    own.postgres.send_signal(signal.SIGSTOP)
    answers = [timed(client, "/ready") for _ in range(2)]
    assert all(set(response.json["details"]["down"]) == {"broker", "postgres"} for response, _ in answers)
    assert all(seconds < allowed(2) for _, seconds in answers)


@pytest.mark.capability("C2")
def test_a_server_that_comes_back_makes_it_ready_again(client, own):
    own.broker.send_signal(signal.SIGSTOP)
    before = client.get("/ready").status_code
    own.broker.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 10
    while (after := client.get("/ready").status_code) == 503 and time.monotonic() < deadline:
        pass
    assert (before, after) == (503, 200)


@pytest.mark.capability("C13")
def test_without_a_database_every_route_says_so_and_when_to_come_back(client, own):
    own.postgres.send_signal(signal.SIGINT)
    own.postgres.wait(10)
    response, seconds = timed(client_with(client.application, "psk_aaaaaaaa_b"), "/api/v1/personas")
    assert (response.status_code, response.json["error_type"]) == (503, "Unavailable")
    assert response.headers["Retry-After"]
    assert str(own.ports[0]) not in response.text
    assert seconds < allowed(2)


@pytest.mark.capability("C3")
def test_the_database_is_described_to_its_operator_alone(admin, reader):
    described = admin.get("/database/info").json
    assert reader.get("/database/info").status_code == 403
    assert described["version"].startswith("18")
    assert {"personas", "api_keys", "runstep"} <= set(described["tables"])
    assert described["migration"]
