"""What became of the rows that a worker held, in the words that they are settled with."""

import logging
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from services.leases import Held, Stopped
from shared.db import will_pass
from shared.domain.lifecycle import RunStatus, after_failure, pause
from shared.errors import PersonaeError, Transient

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What became of one held row; `value` is what `work` returned, if it did; ERROR is tried again after `wait`."""

    held: Held
    status: RunStatus
    value: Any = None
    message: str | None = None
    error_type: str | None = None
    wait: float = 0.0


def success(held: Held, value: Any) -> Outcome | None:
    """Return what became of a row whose work returned a value; None when it was lost."""
    match held.why:
        case "lost":
            return None
        case "timeout":
            return failure(held, Stopped("timeout"))
        case "cancel":
            return Outcome(held, RunStatus.CANCELLED, value, "cancelled")
        case _:
            return Outcome(held, RunStatus.COMPLETED, value)


def failure(held: Held, error: Exception) -> Outcome | None:
    """Return what became of a row whose work raised; None when it was lost."""
    if held.why == "lost":
        return None
    if held.why == "cancel":
        return Outcome(held, RunStatus.CANCELLED, message="cancelled")
    if held.why == "timeout":
        error = Transient(f"took longer than {held.max_runtime:g} s")
    claim = held.claim
    transient = isinstance(error, Transient) or will_pass(error)
    status = after_failure(claim.retry + 1, claim.retries, transient=transient)
    asked = error.details.get("retry_after") if isinstance(error, Transient) else None
    return Outcome(
        held,
        status,
        message=_told(error),
        error_type=_type_of(error, transient=transient),
        wait=pause(claim.retry + 1, held.jitter, asked),
    )


def _type_of(error: Exception, *, transient: bool) -> str:
    """Name the meaning of an error for whoever waits for the row, who may want to try again."""
    if isinstance(error, PersonaeError):
        return type(error).__name__
    return Transient.__name__ if transient else "InternalError"


def _told(error: Exception) -> str:
    """Say an error in words for the row; one that we did not expect is logged whole as well."""
    if isinstance(error, PersonaeError):
        return str(error)[:2000]
    if isinstance(error, DBAPIError):
        return f"database: {first_line(error)}"
    log.error("work failed unexpectedly", exc_info=error)
    return f"{type(error).__name__}: {error}"[:2000]


def red(outcome: Outcome) -> str | None:
    """Return the line of a failure, with its row; None for anything else."""
    if outcome.status not in (RunStatus.ERROR, RunStatus.FAILED):
        return None
    return f"{outcome.held.name}: {outcome.status}: {str(outcome.message)[:200]}"


def first_line(error: SQLAlchemyError) -> str:
    """Return what the database said, without the statement."""
    return str(getattr(error, "orig", error)).partition("\n")[0]
