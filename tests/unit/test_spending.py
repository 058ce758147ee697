"""A run inside another has what is left of the limits."""

from collections import Counter

import pytest

from shared.scripting.runner import Host, run
from shared.scripting.spending import MOST_CALLS, Spending


@pytest.mark.capability("C71")
@pytest.mark.parametrize(
    "spending",
    [
        pytest.param(Spending(until=0.0), id="no time"),
        pytest.param(Spending(calls=Counter(recall=MOST_CALLS)), id="no calls"),
    ],
)
def test_a_run_with_nothing_left_ends_at_its_first_question(spending: Spending) -> None:
    assert run("ctx.recall()", Host({"recall": lambda: None}, spending=spending)).status == "limit"


def test_what_a_run_asks_for_is_counted_for_those_around_it() -> None:
    spending = Spending()
    for _ in range(2):
        run("ctx.recall()", Host({"recall": lambda: None}, depth=1, spending=spending))
    assert spending.calls["recall"] == 2
