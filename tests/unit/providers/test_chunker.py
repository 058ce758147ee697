"""Passages in reading order, with their places."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.tokens import count_for_embedding
from shared.errors import Invalid
from shared.providers.chunker import chunk

TEXT = "One sentence about foxes. Another about hens.\n\n" * 40


@given(st.text(max_size=400), st.integers(1, 50))
def test_a_chunk_is_its_place_in_the_text_and_never_over_size(text: str, size: int) -> None:
    for passage in chunk(text, size):
        assert passage.text == text[passage.start : passage.end]
        assert count_for_embedding(passage.text) <= size


def test_nothing_but_white_space_is_lost() -> None:
    covered = {place for passage in chunk(TEXT, 30) for place in range(passage.start, passage.end)}
    assert all(TEXT[place].isspace() for place in set(range(len(TEXT))) - covered)


def test_neighbours_overlap_as_asked() -> None:
    passages = chunk(TEXT, 40, overlap=10)
    assert all(left.end > right.start for left, right in pairwise(passages))
    assert [passage.start for passage in passages] == sorted(passage.start for passage in passages)


def test_the_counter_is_the_callers() -> None:
    assert all(len(passage.text.split()) <= 5 for passage in chunk(TEXT, 5, 0, lambda text: len(text.split())))


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_sizes_that_make_no_sense_are_invalid(size: int, overlap: int) -> None:
    with pytest.raises(Invalid):
        chunk(TEXT, size, overlap)


HEAD = "| Item code | Gross weight |\n| --- | --- |\n"
ROWS = [f"| K{number} | {number * 7} kg |\n" for number in range(200)]
TABLE = HEAD + "".join(ROWS)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TABLE, id="a table"),
        pytest.param(f"# Stores\n\n{TABLE}\nThe end.", id="with a title"),
        pytest.param(f"{TEXT}\n\n{TABLE}\n{TEXT}", id="in a text"),
        pytest.param(f"{TEXT}\n\n{HEAD}{''.join(ROWS[:9])}\n{TEXT}\n\n{TABLE}\n{TABLE}", id="more than one"),
        pytest.param(TABLE.replace("\n|", "\n> |").replace("| I", "> | I"), id="in a quotation"),
        pytest.param(TABLE.replace("| \n", "\n").replace("\n| ", "\n")[2:], id="without outer lines"),
    ],
)
@pytest.mark.parametrize("overlap", [0, 10])
def test_each_passage_of_a_table_says_what_its_columns_are(text: str, overlap: int) -> None:
    passages = chunk(text, 60, overlap)
    for passage in passages:
        assert " kg |" not in passage.text or "Gross weight |" in passage.text
        assert passage.text.endswith(text[passage.start : passage.end])
        assert count_for_embedding(passage.text) <= 60
    covered = {place for passage in passages for place in range(passage.start, passage.end)}
    assert all(text[place].isspace() for place in set(range(len(text))) - covered)
    assert [passage.start for passage in passages] == sorted(passage.start for passage in passages)


def test_the_title_of_a_table_stays_with_its_first_rows() -> None:
    first, second = chunk(f"# Stores\n\n{TABLE}", 60)[:2]
    assert first.text.startswith("# Stores\n\n| Item code")
    assert second.text.startswith(HEAD)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("|  |  |\n| --- | --- |\n" + "".join(ROWS), id="no headings"),
        pytest.param(f"| {'very long ' * 20} |\n| --- |\n" + "".join(ROWS), id="headings longer than a passage"),
    ],
)
def test_headings_that_say_nothing_or_leave_no_room_are_not_repeated(text: str) -> None:
    for passage in chunk(text, 60):
        assert passage.text == text[passage.start : passage.end]


@given(
    st.lists(st.sampled_from([HEAD, *ROWS[:5], "\n", "# T\n", "Words, more words.\n", "| --- |\n"])), st.integers(1, 50)
)
def test_tables_of_any_kind_lose_nothing(parts: list[str], size: int) -> None:
    text = "".join(parts)
    passages = chunk(text, size)
    assert all(passage.text.endswith(text[passage.start : passage.end]) for passage in passages)
    assert all(count_for_embedding(passage.text) <= size for passage in passages)
    covered = {place for passage in passages for place in range(passage.start, passage.end)}
    assert all(text[place].isspace() for place in set(range(len(text))) - covered)
