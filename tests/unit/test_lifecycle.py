"""The states of work, as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.lifecycle import LONGEST_BACKOFF, RunStatus, after_failure, backoff


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


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_is_bounded_and_never_shorter_without_jitter(attempt: int, jitter: float) -> None:
    assert 0 < backoff(attempt, jitter) <= LONGEST_BACKOFF * 1.5
    assert backoff(attempt, 0.5) <= backoff(attempt + 1, 0.5)
