"""What a row that is worked on closes when it is told to stop, and until when."""

from collections.abc import Callable

import pytest

from services import leases, work
from services.leases import Held
from shared.models import RunStep
from shared.queries.work.engine import Claim
from shared.tasks import INGESTION


@pytest.fixture
def closed() -> list[int]:
    return []


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch, closed: list[int]) -> Callable[[int], Held]:
    """Hold rows whose work waits on something that knows its row."""

    def wait(number: int) -> None:
        held = leases.current()
        assert held is not None
        held.closes(lambda: closed.append(number))
        if held.id == 2:
            first.stop("lost")

    first = Held(Claim(RunStep, 1, 1, 0, 3, 0, {}, more=False), INGESTION.name, max_runtime=60)
    handler = work.Handler(RunStep, _nothing, wait, _nothing, _nothing, 60)
    monkeypatch.setitem(work.HANDLERS[INGESTION.name], RunStep, handler)
    return lambda id: first if id == 1 else Held(first.claim._replace(id=id), INGESTION.name, max_runtime=60)


def _nothing(*_: object) -> None:
    """Neither load, save nor tell anything."""


def test_a_row_that_has_ended_does_not_close_what_the_next_of_its_batch_waits_on(
    hold: Callable[[int], Held], closed: list[int]
) -> None:
    outcomes = [work._attempt(hold(number), lambda number=number: number) for number in (1, 2)]  # type: ignore[misc]
    assert [outcome and outcome.status for outcome in outcomes] == ["COMPLETED", "COMPLETED"]
    assert closed == []


def test_a_row_at_work_closes_what_it_waits_on_once(hold: Callable[[int], Held], closed: list[int]) -> None:
    held = hold(1)
    held.closes(lambda: closed.append(7))
    held.stop("cancel")
    held.stop("lost")
    held.closes(lambda: closed.append(8))
    assert closed == [7, 8], "what comes after the stop is closed at once"


def test_a_row_that_has_ended_is_not_stuck_however_long_the_rest_of_its_batch_takes(
    hold: Callable[[int], Held],
) -> None:
    held = hold(1)
    assert not held.is_stuck(0)
    held.begin()
    held.until = 0.0  # long ago
    assert held.is_stuck(1)
    held.ended()
    assert (held.is_stuck(1), held.overdue(1)) == (False, True)


def test_work_off_the_clock_is_not_stuck(hold: Callable[[int], Held]) -> None:
    held = hold(1)
    held.begin()
    held.until = 0.0
    with held.unhurried():
        assert not held.is_stuck(1)
