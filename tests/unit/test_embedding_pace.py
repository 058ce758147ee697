"""How much an embedding server is asked for at once: what it answers in a few seconds, whatever it is asked for."""

import pytest

from services.embedding.line import Entry, Line, Request

LONG, SHORT = 2000, 50  # characters of a passage and of a quote
TOO_LONG = 10.0  # seconds without a sign of progress


def seconds_of(pace: float, *lengths: int) -> list[float]:
    """Embed texts of these lengths on a server that takes so long for a character; return what each request took."""
    taken = []

    def ask(request: Request) -> bool:
        request.seconds = pace * sum(map(len, request.texts))
        taken.append(request.seconds)
        return True

    texts = {str(number): "x" * length for number, length in enumerate(lengths)}
    Line(16).serve(Entry(1, "ana", texts, dict.fromkeys(texts, 1)), ask)
    return taken


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([LONG] * 40, id="from the first request on"),
        pytest.param([SHORT] * 400 + [LONG] * 40, id="after many short ones"),
    ],
)
def test_a_slow_server_is_asked_for_no_more_long_passages_than_it_answers_in_time(lengths: list[int]) -> None:
    assert max(seconds_of(0.001, *lengths)) < TOO_LONG


def test_a_fast_server_is_asked_for_a_whole_batch_from_its_second_request_on() -> None:
    assert len(seconds_of(0.00001, *[LONG] * 67)) == 1 + 4


def test_after_one_slow_answer_more_is_asked_for_again() -> None:
    line, sizes = Line(16), []

    def ask(request: Request) -> bool:
        sizes.append(len(request.parts))
        request.seconds = 300.0 if len(sizes) == 3 else 0.1
        return True

    texts = {str(number): "x" * LONG for number in range(100)}
    line.serve(Entry(1, "ana", texts, dict.fromkeys(texts, 1)), ask)
    assert sizes[2:6] == [16, 1, 16, 16]
