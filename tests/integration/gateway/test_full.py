"""A gateway process whose threads are taken by streams and waits: it answers all else, and says so to the next."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy import commands
from deploy.local.data import ports
from gateway.streaming.places import Places
from gateway.streaming.relay import HEARTBEAT
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import Turn
from shared.queries.accounts import keys
from shared.queries.scope import Scope
from tests.processes import allowed, eventually, until

THREADS = 4
PLACES = THREADS - 1
STREAM = {"Accept": "text/event-stream"}
Start = Callable[..., httpx.Client]


@pytest.mark.parametrize(("threads", "places"), [(256, 240), (64, 48), (8, 6), (4, 3), (2, 1), (1, 1)])
def test_a_few_threads_are_kept_from_what_holds_them_long(threads: int, places: int) -> None:
    assert Places(threads).free == places


@pytest.fixture
def start(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start a gateway of few threads, with nobody to do its work: every stream is quiet, and lasts."""
    with get_session() as session:
        key = keys.add(session, Scope("default"), name="test", scopes=[Permission.ADMIN]).key
    started: list[subprocess.Popen[bytes]] = []

    def run(**settings: str) -> httpx.Client:
        port = ports.free_port()
        given = {
            "PERSONAE_DATABASE_URL": database_url, "PERSONAE_REDIS_URL": redis_url, "PERSONAE_GATEWAY_WORKERS": "1",
            "PERSONAE_GATEWAY_THREADS": str(THREADS), "PERSONAE_GATEWAY_PORT": str(port),
            "PERSONAE_DATA_DIR": str(tmp_path / "data"), "PERSONAE_STOP_GRACE_SECONDS": "1", **settings,
        }  # fmt: skip
        command = [sys.executable, *commands.gateway().words[1:]]
        with (tmp_path / "log").open("ab") as log:
            started.append(subprocess.Popen(command, env=os.environ | given, stdout=log, stderr=log))
        headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, headers=headers)
        until(lambda: answers(client))
        return client

    yield run
    for process in started:
        process.terminate()
        process.wait(20)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def conversation(client: httpx.Client) -> str:
    persona = client.post("/api/v1/personas", json={"name": "Ada", "template": "You are Ada."}).json()
    talk = client.post("/api/v1/conversations", json={"persona_id": persona["id"]}).json()
    return f"/api/v1/conversations/{talk['id']}/messages"


def open_stream(client: httpx.Client, path: str, opened: ExitStack) -> httpx.Response:
    """Send a message and begin to listen; the answer is closed by `opened`."""
    return opened.enter_context(client.stream("POST", path, json={"content": "Hello?"}, headers=STREAM))


def count_turns() -> int:
    with get_session() as session:
        return session.query(Turn).count()


@pytest.mark.capability("C101")
def test_a_process_full_of_streams_answers_everything_else_and_refuses_the_next_before_anything_is_begun(
    start: Start,
) -> None:
    client = start()
    path = conversation(client)
    with ExitStack() as opened:
        assert [open_stream(client, path, opened).status_code for _ in range(PLACES)] == [200] * PLACES
        turn = client.post(path, json={"content": "And now?"}).json()
        refused: list[httpx.Response] = [
            client.post(path, json={"content": "Me too"}, headers=STREAM),
            client.get(f"/api/v1/turns/{turn['id']}/events"),
        ]
        for answer in refused:
            said: dict[str, Any] = answer.json()
            assert (answer.status_code, said["error_type"]) == (503, "Unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "streams" in said["error"]
        assert count_turns() == PLACES + 1, "what was refused was not begun"
        assert [client.get(address).status_code for address in ("/health", "/ready", "/api/v1/personas")] == [200] * 3
        waited = client.post(f"{path}?wait=true", json={"content": "I wait"})
        assert (waited.status_code, waited.json()["status"]) == (202, "PENDING"), "told at once where it will be"


@pytest.mark.capability("C101")
def test_the_place_of_a_client_that_left_a_quiet_stream_or_wait_is_free_soon(start: Start) -> None:
    client = start()
    path = conversation(client)
    with ExitStack() as opened:
        for _ in range(PLACES - 1):
            open_stream(client, path, opened)
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{path}?wait=true", json={"content": "I wait"}, timeout=1)
    seconds = allowed(HEARTBEAT / 3)
    with ExitStack() as opened:
        for _ in range(PLACES):
            eventually(lambda: open_stream(client, path, opened).status_code, lambda code: code == 200, seconds)


@pytest.mark.capability("C101")
def test_two_processes_share_what_one_has_no_place_for(start: Start) -> None:
    client = start(PERSONAE_GATEWAY_WORKERS="2")
    path = conversation(client)
    with ExitStack() as opened:
        for _ in range(2 * PLACES):
            eventually(lambda: open_stream(client, path, opened).status_code, lambda code: code == 200)
            assert client.get("/health", timeout=5).is_success
        assert open_stream(client, path, opened).status_code == 503
