"""No kind of work takes all slots of a worker that has replies to make."""

import pytest

from services import work
from services.shares import Shares, room
from shared.tasks import BELL, MEMORY, MODULES

QUEUES = ["dialogue", "memory", "modules"]


def entered(shares: Shares, queue: str, times: int) -> list:
    """Take slots and keep them; return the open visits."""
    visits = [shares.taken(queue) for _ in range(times)]
    return [(visit, visit.__enter__()) for visit in visits]


@pytest.mark.parametrize(
    ("slots", "queues", "left"), [(32, QUEUES, 24), (2, QUEUES, 1), (1, QUEUES, 1), (32, ["dialogue"], 32)]
)
def test_a_quarter_of_the_slots_is_kept_free(slots: int, queues: list[str], left: int) -> None:
    assert room(slots, queues) == left


def test_modules_and_memory_leave_room_for_replies() -> None:
    shares = Shares()
    shares.divide(8, QUEUES)
    taken = entered(shares, "modules", 4) + entered(shares, "memory", 3)
    assert [visit.has_slot for _, visit in taken] == [True] * 6 + [False]
    assert all(visit.has_slot for _, visit in entered(shares, "dialogue", 6))


def test_whoever_leaves_learns_once_whose_bells_found_no_slot() -> None:
    shares = Shares()
    shares.divide(2, QUEUES)
    (held, first), *refused = (
        entered(shares, "modules", 1) + entered(shares, "memory", 2) + entered(shares, "modules", 1)
    )
    for visit, second in refused:
        visit.__exit__(None, None, None)
        assert (second.has_slot, second.refused) == (False, set())
    held.__exit__(None, None, None)
    assert (first.has_slot, first.refused) == (True, {"memory", "modules"})
    (held, third) = entered(shares, "modules", 1)[0]
    held.__exit__(None, None, None)
    assert third.refused == set()


def test_a_bell_of_another_queue_that_found_no_slot_is_rung_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shares, rung = Shares(), []
    shares.divide(2, QUEUES)
    monkeypatch.setattr(work, "SHARES", shares)
    monkeypatch.setattr(BELL, "ring", lambda queue, *label: rung.append(queue))
    monkeypatch.setattr(
        work, "_claim_and_perform", lambda queue, *, rings: work.answer(MEMORY) if queue is MODULES else False
    )
    work.answer(MODULES)
    assert rung == ["memory"]


@pytest.mark.parametrize("queues", [["embedding"], ["memory", "modules"], ["dialogue"]])
def test_a_worker_without_both_is_not_divided(queues: list[str]) -> None:
    shares = Shares()
    shares.divide(2, queues)
    assert all(visit.has_slot for _, visit in entered(shares, queues[0], 5))
