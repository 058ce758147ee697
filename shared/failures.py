"""The one shape in which a failure is told: the answer to a request, or the last event of a stream."""

import math
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from shared.logs import CORRELATION, correlation

FAILED_FOR_GOOD = HTTPStatus.BAD_GATEWAY  # work that a provider refuses: nothing is wrong in the gateway


def body(message: str, *, error_type: str, status: int) -> dict[str, Any]:
    """Return what is told of a failure."""
    return {
        "error": message,
        "error_type": error_type,
        "status_code": int(status),
        "timestamp": datetime.now(UTC).isoformat(),
        "correlation_id": correlation().get(CORRELATION),
    }


def waiting(reason: str, seconds: float) -> dict[str, Any]:
    """Return what is told of a turn that is tried again: why, and after how many seconds."""
    rest = max(1, math.ceil(seconds))
    return {"reason": f"{reason}; trying again in {rest} s", "retry_after": rest}


def of_turn(reason: str | None) -> dict[str, Any]:
    """Return what is told of a turn that came to no reply."""
    return body(reason or "failed", error_type="WorkFailed", status=FAILED_FOR_GOOD)
