"""The one shape of every error."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class ErrorOut(BaseModel):
    """What went wrong, in words and by kind; the correlation id finds it in the logs."""

    error: str
    error_type: str
    status_code: int
    timestamp: datetime
    correlation_id: str | None
    details: dict[str, Any] | None = None
