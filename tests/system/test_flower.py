"""Flower, as whoever watches the stack sees it."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import until
from tests.system.client import Client
from tests.system.conftest import RunningStack
from tests.system.test_talking import ended

pytestmark = pytest.mark.capability("C180")


@pytest.fixture
def flower(stack: RunningStack) -> Iterator[httpx.Client]:
    part = stack.status["flower"]
    with httpx.Client(base_url=part["url"], auth=(part["user"], part["password"]), timeout=10) as client:
        yield client


@pytest.fixture
def failed_turn(client: Client, conversation: str, model: FakeOpenAI) -> dict[str, Any]:
    model.script(Rule(match="refuse", status=400, error="the prompt is not to my liking"))
    return ended(client, client.post(conversation, {"content": "refuse"}, 202))


def failures_of(flower: httpx.Client, turn: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the red messages that name the turn; none while Flower is away."""
    try:
        tasks = flower.get("/api/tasks", params={"state": "FAILURE"}).raise_for_status().json()
    except httpx.HTTPError:
        return []
    return [task for task in tasks.values() if f"turns {turn['id']}: FAILED" in task["exception"]]


@pytest.mark.parametrize("path", ["/", "/api/tasks", "/api/workers", "/metrics"])
def test_nobody_looks_without_the_login(stack: RunningStack, path: str) -> None:
    url = stack.status["flower"]["url"]
    assert httpx.get(url + path).status_code == 401
    assert httpx.get(url + path, auth=("personae", "guess")).status_code == 401


def test_every_worker_is_listed(stack: RunningStack, flower: httpx.Client) -> None:
    listed = {name.partition("@")[0] for name in flower.get("/api/workers?refresh=1").json()}
    assert listed == {worker["name"] for worker in stack.status["workers"]}


def test_a_failed_message_is_red_and_names_its_row(flower: httpx.Client, failed_turn: dict[str, Any]) -> None:
    assert failed_turn["status"] == "FAILED"
    (task,) = until(lambda: failures_of(flower, failed_turn))
    assert task["state"] == "FAILURE"
    assert task["name"] == "work.dialogue"
    # Words for people: whose bell it was. The row that it led to is in the exception.
    assert task["args"] in (f"(turns {failed_turn['id']})", "(sweep)")
    assert "answered 400" in task["exception"]
    assert "the prompt is not to my liking" not in task["exception"]  # the server's own words are for the log


def test_what_it_shows_survives_its_restart(
    stack: RunningStack, flower: httpx.Client, failed_turn: dict[str, Any]
) -> None:
    (before,) = until(lambda: failures_of(flower, failed_turn))
    pid = stack.commands.pid_of("flower")
    os.kill(pid, signal.SIGTERM)
    until(lambda: stack.commands.pid_of("flower") not in (None, pid))
    (after,) = until(lambda: failures_of(flower, failed_turn))
    assert after["uuid"] == before["uuid"]


@pytest.mark.capability("C180")
@pytest.mark.parametrize("path", ["worker/shutdown/worker-upkeep", "task/send-task/work.dialogue", "task/revoke/x"])
def test_flower_only_watches(flower: httpx.Client, path: str) -> None:
    assert flower.post(f"/api/{path}", json={"args": []}).status_code == 403
