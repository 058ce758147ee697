"""What the supervisor promises about any children, shown with dummies beside a real Postgres and a real broker."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from deploy.local.control import Supervised, stop
from deploy.local.data import state
from deploy.local.data.folder import Folder
from tests.processes import allowed, until
from tests.system.stacks import Stack

pytestmark = pytest.mark.capability("C160")


class DummyStack(Stack):
    """A stack with dummy children, whose supervisor this process starts itself."""

    def begin_children(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[dict]:
        """Start it and return what its supervisor reported until all was up, or it gave up."""
        monkeypatch.setenv("DUMMY_CHILDREN", ",".join(names))
        supervised = Supervised(Folder(self.folder), attached=False, module="tests.system.dummy_stack")
        events = []
        for event in supervised.events():
            events.append(event)
            if event["event"] == "up":
                break
        supervised.detach()
        return events

    def pid(self, name: str) -> int | None:
        """Return a child's pid."""
        running = state.find_running(Folder(self.folder))
        return next(child.pid for child in running.children if child.name == name)


@pytest.fixture
def dummies(tmp_path: Path, prepared: Path):
    stack = DummyStack(shutil.copytree(prepared, tmp_path / "data"))
    yield stack
    stack.stop()
    until(stack.is_gone)


def test_a_killed_child_is_started_again_and_its_own_children_are_ended(dummies, monkeypatch):
    dummies.begin_children(monkeypatch, "plain")
    first = dummies.pid("plain")
    before = set(dummies.processes())
    os.kill(first, signal.SIGKILL)
    second = until(lambda: (pid := dummies.pid("plain")) != first and pid)
    until(lambda: len(dummies.processes()) >= len(before))
    assert second is not None
    assert len(dummies.processes()) == len(before)


def test_a_frozen_child_is_left_alone(dummies, monkeypatch):
    dummies.begin_children(monkeypatch, "plain")
    first = dummies.pid("plain")
    os.kill(first, signal.SIGSTOP)
    os.kill(dummies.pid("broker"), signal.SIGKILL)
    until(lambda: dummies.pid("broker"))
    assert dummies.pid("plain") == first


def test_no_process_outlives_a_killed_supervisor_by_ten_seconds(dummies, monkeypatch):
    dummies.begin_children(monkeypatch, "plain", "stubborn")
    os.kill(dummies.supervisor(), signal.SIGKILL)
    until(dummies.is_gone, allowed(10))


def test_a_killed_guardian_is_replaced_by_one_that_knows_as_much(dummies, monkeypatch):
    dummies.begin_children(monkeypatch, "stubborn")
    first = guardian(dummies)
    os.kill(first, signal.SIGKILL)
    until(lambda: guardian(dummies) not in (None, first))
    os.kill(dummies.supervisor(), signal.SIGKILL)
    until(dummies.is_gone, allowed(10))


def test_children_that_listen_end_even_when_the_guardian_is_killed_too(dummies, monkeypatch):
    dummies.begin_children(monkeypatch)
    watcher, supervisor = guardian(dummies), dummies.supervisor()
    os.kill(supervisor, signal.SIGSTOP)  # so that it cannot replace the guardian meanwhile
    os.kill(watcher, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    until(dummies.is_gone, allowed(10))


def test_a_stack_stops_within_ten_seconds_of_being_asked_even_with_a_child_that_does_not_listen(dummies, monkeypatch):
    dummies.begin_children(monkeypatch, "plain", "stubborn")
    started = time.monotonic()
    assert stop(Folder(dummies.folder))
    assert time.monotonic() - started < allowed(10)
    assert dummies.is_gone()


def test_a_stack_whose_supervisor_is_frozen_is_gone_within_ten_seconds_of_being_asked(dummies, monkeypatch):
    dummies.begin_children(monkeypatch, "plain")
    os.kill(dummies.supervisor(), signal.SIGSTOP)
    started = time.monotonic()
    assert stop(Folder(dummies.folder))
    assert time.monotonic() - started < allowed(10)
    assert dummies.is_gone()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("broken", "broken ended with exit code 1; the end of", id="one that ends"),
        pytest.param("mute", "mute was not ready after 1 s; the end of", id="one that is never ready"),
    ],
)
def test_a_child_that_does_not_come_up_stops_the_rest_and_is_named(dummies, monkeypatch, name, reason):
    events = dummies.begin_children(monkeypatch, "plain", name)
    message = next(event["name"] for event in events if event["event"] == "failed")
    assert reason in message
    assert name != "broken" or "the dog ate it" in message
    until(dummies.is_gone)


def test_a_child_that_cannot_start_with_its_torn_files_starts_without_them(dummies, monkeypatch):
    (dummies.folder / "spoiled").touch()
    events = dummies.begin_children(monkeypatch, "spoiled")
    assert events[-1]["event"] == "up"
    assert not (dummies.folder / "spoiled").exists()


def guardian(stack: Stack) -> int | None:
    return next((pid for pid, words in stack.processes().items() if "deploy.local.supervision.guardian" in words), None)
