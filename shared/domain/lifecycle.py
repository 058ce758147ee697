"""The states of a row of work, and where each event leaves it. Pure; the statements are in `queries/work/engine.py`."""

from enum import StrEnum

from typing_extensions import TypedDict

VERSION = 1  # of this code: one more when older workers would do new rows of work wrongly (`Work.needs_version`)
POISON_CRASHES = 3
POISON = "lost its worker three times"
LONGEST_BACKOFF = 300.0  # seconds


class RunStatus(StrEnum):
    """Seed 004's states, and CANCELLED, which is ours."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


def quoted(*states: RunStatus) -> str:
    """Return states as SQL writes a list of them: `'FAILED', 'CANCELLED'`."""
    return ", ".join(f"'{state.value}'" for state in states)


TERMINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
UNFINISHED = frozenset(RunStatus) - TERMINAL
RETRIABLE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.ERROR})


def after_failure(attempt: int, attempts: int, *, transient: bool) -> RunStatus:
    """Say where failed attempt number `attempt` (from 1) leaves a row that is allowed `attempts` in all."""
    if transient and attempt < attempts:
        return RunStatus.ERROR
    return RunStatus.FAILED


def may_pass(failures: int, attempts: int) -> bool:
    """Say whether a row that FAILED after so many failures might succeed later: it was given up for want of attempts.

    What is permanent ends a row at once; only on its last attempt is it taken for what may pass.
    """
    return failures >= attempts


def backoff(attempt: int, jitter: float) -> float:
    """Return the seconds to wait after failed attempt number `attempt`; `jitter` lies in 0..1."""
    return min(2.0 ** min(attempt, 16), LONGEST_BACKOFF) * (0.5 + jitter)


def pause(attempt: int, jitter: float, asked: float | None) -> float:
    """Return the seconds until the next attempt: the backoff, or longer where the server `asked` for it."""
    return max(backoff(attempt, jitter), min(asked or 0.0, LONGEST_BACKOFF))


class Meta(TypedDict, total=False):
    """What every row of work may keep in `status_meta`."""

    correlation_id: str  # of the request that asked for it
    error_type: str  # names the error that ended it or its last attempt
    made_room: int  # the priority that it has again once it was claimed: it had a turn, and let others go first
