"""The states of work, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.lifecycle import LONGEST_BACKOFF, RunStatus, after_failure, backoff, may_pass, pause


@pytest.mark.parametrize(
    ("attempt", "attempts", "transient", "status"),
    [
        pytest.param(1, 3, True, RunStatus.ERROR, id="transient with attempts left is tried again"),
        pytest.param(2, 3, True, RunStatus.ERROR, id="the second of three too"),
        pytest.param(3, 3, True, RunStatus.FAILED, id="the last attempt is final"),
        pytest.param(1, 1, True, RunStatus.FAILED, id="one attempt in all means none again"),
        pytest.param(1, 3, False, RunStatus.FAILED, id="a final error is not tried again"),
    ],
)
@pytest.mark.capability("C126")
def test_after_failure(attempt: int, attempts: int, transient: bool, status: RunStatus) -> None:
    assert after_failure(attempt, attempts, transient=transient) is status


@pytest.mark.parametrize(
    ("failures", "attempts", "worth_it"),
    [
        pytest.param(3, 3, True, id="every attempt was transient"),
        pytest.param(1, 3, False, id="a final error leaves attempts"),
        pytest.param(0, 3, False, id="lost workers are no attempts"),
    ],
)
def test_what_was_given_up_for_want_of_attempts_may_pass(failures: int, attempts: int, worth_it: bool) -> None:
    assert may_pass(failures, attempts) is worth_it


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_is_bounded_and_never_shorter_without_jitter(attempt: int, jitter: float) -> None:
    assert 0 < backoff(attempt, jitter) <= LONGEST_BACKOFF * 1.5
    assert backoff(attempt, 0.5) <= backoff(attempt + 1, 0.5)


@pytest.mark.parametrize(("asked", "seconds"), [(None, 2.0), (0.0, 2.0), (4.0, 4.0), (86_400.0, LONGEST_BACKOFF)])
def test_a_server_that_asks_for_time_is_given_it_within_bounds(asked: float | None, seconds: float) -> None:
    assert pause(1, 0.5, asked) == seconds
