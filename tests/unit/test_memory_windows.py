"""Which messages are due to be compressed, and how memories are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.memory import HEAD, Remembered, WindowRule, as_text, due, within
from shared.domain.tokens import count_roughly

RULE = WindowRule()
remembered = st.builds(Remembered, st.just("25-35"), st.text(min_size=1, max_size=300))


def positions(count: int) -> list[int]:
    return [7 * number for number in range(1, count + 1)]


@pytest.mark.capability("C78")
@pytest.mark.parametrize(
    ("count", "ranges"),
    [
        (34, []),
        (35, ["1-24", "25-35"]),
        (45, ["1-24", "25-35"]),
        (46, ["1-24", "25-35", "36-46"]),
        (100, ["1-24", "25-35", "36-46", "47-57", "58-68", "69-79", "80-90"]),
    ],
)
def test_a_window_is_due_when_its_last_message_is_there(count: int, ranges: list[str]) -> None:
    found = due(positions(count), RULE)
    assert [window.message_range for window in found] == ranges
    assert [window.sequence for window in found] == list(range(HEAD, HEAD + len(ranges)))


def test_a_window_begins_and_ends_at_the_positions_of_its_messages() -> None:
    head, first = due(positions(35), RULE)
    assert (head.first_position, head.last_position) == (7, 7 * 24)
    assert (first.first_position, first.last_position) == (7 * 25, 7 * 35)


@pytest.mark.capability("C78")
def test_the_next_window_follows_the_last_whatever_was_deleted_since() -> None:
    assert due(positions(10), RULE, last=1) == []
    (window,) = due(positions(11), RULE, last=1)
    assert (window.sequence, window.message_range) == (2, "36-46")


def test_start_size_and_head_are_the_operators() -> None:
    found = due(positions(8), WindowRule(start=3, size=3, head=False))
    assert [window.message_range for window in found] == ["3-5", "6-8"]
    assert [window.message_range for window in due(positions(4), WindowRule(start=1, size=2))] == ["1-2", "3-4"]


@given(st.lists(st.integers(1, 60), max_size=6), st.integers(1, 30), st.integers(1, 15), st.booleans())
def test_however_messages_come_every_window_is_due_once(steps: list[int], start: int, size: int, head: bool) -> None:
    rule, known, last, seen = WindowRule(start, size, head), [], None, []
    for step in steps:
        known = positions(len(known) + step)
        after = seen[-1].last_position if seen else 0
        seen += due([position for position in known if position > after], rule, last=last)
        last = seen[-1].sequence if seen else None
    assert seen == due(known, rule)


@pytest.mark.capability("C81")
@given(
    st.lists(st.builds(Remembered, st.just("25-35"), st.text(min_size=1, max_size=300)), max_size=5),
    st.integers(1, 300),
)
def test_memories_never_take_more_than_their_tokens(memories: list[Remembered], limit: int) -> None:
    assert count_roughly(as_text(memories, limit)) <= limit + 1


@pytest.mark.capability("C81")
def test_the_oldest_memories_are_left_out_first() -> None:
    memories = [Remembered("25-35", "We met. " * 20), Remembered("36-46", "We spoke of coils.")]
    assert as_text(memories, 30) == "[messages 36-46] We spoke of coils."
    assert as_text(memories, 1000).startswith("[messages 25-35] We met.")
    assert as_text([], 100) == ""


def test_a_text_that_is_too_long_ends_with_a_sentence() -> None:
    assert within("One sentence is here. Another one is not.", 12) == "One sentence is here."
