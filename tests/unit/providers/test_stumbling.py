"""A file that makes a reader stumble is that file's failure, in words, and the next is read."""

import io

import pytest

from shared.providers.parsing import reader
from shared.providers.parsing.limits import Limits
from shared.providers.parsing.parser import FakeParser, Parsed

LIMITS = Limits()


class Stumbling(FakeParser):
    """A parser that raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        raise self._error


@pytest.mark.parametrize(
    "error", [KeyError("ref"), RecursionError("deep"), OverflowError("inf"), TypeError("none"), UnicodeError("bytes")]
)
def test_a_reader_that_stumbles_says_so_of_the_file(error: Exception) -> None:
    answer = reader._answer(Stumbling(error), {"bytes": 1, "mime_type": "text/plain"}, io.BytesIO(b"x"), LIMITS)
    assert answer == {
        "invalid": f"it is damaged, or of a form that is not known: reading it failed ({type(error).__name__})"
    }
