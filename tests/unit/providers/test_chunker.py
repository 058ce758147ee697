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
