"""Passages in reading order, with their places."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.tokens import count_for_embedding
from shared.errors import Invalid
from shared.providers.parsing.chunker import chunk

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


AMOUNTS = "".join(f"| Employee {number} | Dept {number % 9} | {4000 + number} |\n" for number in range(150))
NAMES = "".join(f"| Employee {number} | Dept {number % 9} | clerk |\n" for number in range(150))
HEADS = "| Name | Department | Phone |\n"
THREE = "| --- | --- | --- |\n"


@pytest.mark.parametrize("rows", [AMOUNTS, NAMES], ids=["amounts", "words"])
@pytest.mark.parametrize(
    ("above", "said"),
    [
        pytest.param(f"| Staff register |  |  |\n{THREE}{HEADS}", HEADS + THREE, id="a title"),
        pytest.param(f"| Staff | Staff | Staff |\n{THREE}{HEADS}", HEADS + THREE, id="a title over all columns"),
        pytest.param(
            f"| Staff |  |  |\n{THREE}| as of March |  |  |\n|  |  |  |\n{HEADS}", HEADS + THREE, id="more of a title"
        ),
        pytest.param(
            f"| Exported by | Ann |  |\n{THREE}| On | 2033-01-01 |  |\n|  |  |  |\n{HEADS}",
            HEADS + THREE,
            id="names and values",
        ),
        pytest.param(
            f"|  | Work |  |\n{THREE}{HEADS}", f"|  | Work |  |\n{THREE}{HEADS}", id="a group of columns above them"
        ),
        pytest.param(
            f"| Person | Work | Work |\n{THREE}|  | Department | Phone |\n",
            f"| Person | Work | Work |\n{THREE}|  | Department | Phone |\n",
            id="names of columns below their group",
        ),
        pytest.param(
            f"|  | Department | Phone |\n{THREE}", f"|  | Department | Phone |\n{THREE}", id="a column without a name"
        ),
    ],
)
def test_a_title_or_groups_above_the_headings_do_not_take_their_place(above: str, said: str, rows: str) -> None:
    text = f"# Staff\n\n{above}{rows}"
    first, *others = chunk(text, 90)
    assert first.text.startswith(f"# Staff\n\n{above}| Employee 0 |")
    assert all(passage.text.startswith(f"{said}| Employee") for passage in others)
    for passage in others:
        assert text[passage.start : passage.end] == passage.text.removeprefix(said)
        assert count_for_embedding(passage.text) <= 90


def test_a_record_in_place_of_headings_is_not_repeated() -> None:
    text = AMOUNTS.replace("\n", f"\n{THREE}", 1)
    assert sum("| Employee 0 |" in passage.text for passage in chunk(text, 60)) == 1


@pytest.mark.parametrize("head", ["N | 2031 | 2032", "1 | 2 | 3"])
def test_headings_that_are_numbers_are_headings(head: str) -> None:
    rows = "".join(f"| {number} | {number * 7} | {number * 3.5} |\n" for number in range(99))
    assert all(f"| {head} |\n{THREE}" in passage.text for passage in chunk(f"| {head} |\n{THREE}{rows}", 60))


def test_tables_below_each_other_have_their_own_headings() -> None:
    second = "".join(f"| Lamp {number} | oil | {number} |\n" for number in range(99))
    text = f"{HEADS}{THREE}{AMOUNTS}|  |  |  |\n| Lamps |  |  |\n| Lamp | Fuel | Hours |\n{second}"
    for passage in chunk(text, 90):
        assert "| Lamp 5" not in passage.text or "| Fuel |" in passage.text
        assert "| Employee 5" not in passage.text or "| Phone |" in passage.text


def test_rows_below_a_blank_one_keep_the_headings() -> None:
    text = f"{HEADS}{THREE}{AMOUNTS}".replace("8 |\n", "8 |\n|  |  |  |\n")
    assert all("| Phone |" in passage.text for passage in chunk(text, 90))
