"""Who asks whether all is ready is told of the answers that were waited for, however many ask at once."""

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from gateway import readiness
from gateway.readiness import Asked, Readiness
from shared.settings import Settings


class Check:
    """A server that answers at once, or not until it is told to."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, settings: Settings) -> None:
        self.answers.wait(30)


@pytest.fixture
def check() -> Iterator[Check]:
    made = Check()
    yield made
    made.answers.set()


@pytest.fixture
def ready(check: Check) -> Readiness:
    made = Readiness(Settings(_env_file=None))
    made.needed = {"postgres": Asked(check), "broker": Asked(check)}
    made.useful = {}
    return made


def test_an_answer_that_came_is_not_taken_for_one_that_another_has_just_asked_for(
    ready: Readiness, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_while_another_asks(answers: Collection["Future[None]"], timeout: float) -> Any:
        done = wait(answers, timeout)
        check.answers.clear()
        for asked in ready.needed.values():
            asked.begin(ready.pool, ready.settings)
        return done

    monkeypatch.setattr(readiness, "wait", wait_while_another_asks)
    assert ready.ask().down == {}


def test_a_server_that_hangs_is_still_named(ready: Readiness, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE", 0.01)
    check.answers.clear()
    assert ready.ask().down == dict.fromkeys(("postgres", "broker"), "no answer in time")


def test_many_who_ask_at_once_are_all_told_that_all_is_well(ready: Readiness) -> None:
    with ThreadPoolExecutor(8) as askers:
        told = list(askers.map(lambda _: ready.ask(), range(400)))
    assert [health for health in told if health.down or health.degraded] == []
