"""Threads go on whatever they meet, and say what it was."""

import logging
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from shared import background
from shared.background import Loop, attempt, begin, later
from tests.processes import until

Begin = Callable[[Callable[[], object]], Loop]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FAILURE_PAUSE", 0.0)


@pytest.fixture
def loop() -> Iterator[Begin]:
    """Begin loops that end with the test."""
    begun: list[Loop] = []

    def run(act: Callable[[], object]) -> Loop:
        begun.append(Loop("a test's", act, lambda: 0.0))
        begun[-1].ensure()
        return begun[-1]

    yield run
    for one in begun:
        one.stop()
        until(lambda one=one: not one.is_alive, 10)  # type: ignore[misc]


@pytest.mark.parametrize("error", [ValueError("strange"), RuntimeError("broken"), MemoryError(), KeyError("gone")])
def test_a_loop_goes_on_whatever_its_act_raises(
    loop: Begin, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    done: SimpleQueue[int] = SimpleQueue()
    acts = iter([error, None, error, None])

    def act() -> None:
        if raised := next(acts, None):
            raise raised
        done.put(1)

    loop(act)
    assert [done.get(timeout=10), done.get(timeout=10)] == [1, 1]
    assert [record.exc_info and record.exc_info[1] for record in caplog.records][:2] == [error, error]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_all_the_same_is_started_again(loop: Begin, caplog: pytest.LogCaptureFixture) -> None:
    acts, done = iter([SystemExit()]), threading.Event()

    def act() -> None:
        for raised in acts:
            raise raised
        done.set()

    one = loop(act)
    until(lambda: not one.is_alive, 10)
    one.ensure()
    assert done.wait(10)
    assert "a thread had ended and is started again" in caplog.text


def test_a_loop_that_runs_is_not_begun_twice(loop: Begin) -> None:
    at_work, may_end = threading.Barrier(2, timeout=10), threading.Event()

    def act() -> None:
        at_work.wait()
        may_end.wait(10)

    one = loop(act)
    at_work.wait()
    before = threading.active_count()
    one.ensure()
    assert threading.active_count() == before
    one.stop()
    may_end.set()
    until(lambda: not one.is_alive, 10)
    one.ensure()
    assert not one.is_alive, "one that was told to stop stays so"


def test_what_runs_once_says_what_it_raised(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    def fail() -> None:
        raise ValueError("strange")

    begin("one", fail).join(10)
    later("two", 0.0, fail).join(10)
    assert not attempt("three", fail)
    assert [record.__dict__["act"] for record in caplog.records] == ["one", "two", "three"]
