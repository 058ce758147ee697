"""A name for each request: taken from the caller or made, given back, on every log line, kept by the work it makes."""

import logging
import re
import time
from uuid import uuid4

from apiflask import APIFlask
from flask import Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from shared.logs import CORRELATION, correlation

HEADER = "X-Correlation-ID"
ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")

log = logging.getLogger(__name__)


def install(app: APIFlask) -> None:
    """Run before everything else, so that a refused request has a name too."""
    app.before_request(begin)
    app.after_request(end)


def begin() -> None:
    """Forget the thread's last request and name this one."""
    given = request.headers.get(HEADER, "")
    clear_contextvars()
    bind_contextvars(correlation_id=given if ACCEPTABLE.fullmatch(given) else uuid4().hex)
    g.started = time.monotonic()


def end(response: Response) -> Response:
    """Give the name back, and leave the one line that every request leaves; queries stay out, they may hold secrets."""
    response.headers[HEADER] = correlation().get(CORRELATION, "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    seen = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "milliseconds": round((time.monotonic() - g.started) * 1000, 1),
        "holder": getattr(g.get("identity"), "holder", None),
    }
    log.info("request", extra=seen)
    return response
