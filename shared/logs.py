"""One JSON line per event, from every process; a request's correlation id follows its work; secrets never get in."""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars
from typing_extensions import TypedDict

REDACTED = "[redacted]"
CORRELATION = "correlation_id"
CHATTY = ("httpx", "celery.worker.strategy")  # a line for each request and bell; what was worked on is told by us
_SECRET_NAME = re.compile(r"secret|passw|api_?key|authorization|cookie|credential|bearer|(^|_)token$", re.IGNORECASE)
_SECRET_TEXT = (
    (re.compile(r"\bpsk_\w+"), REDACTED),
    (re.compile(r"\bsk-[\w-]{8,}"), REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"(://[^\s/:@]*):[^\s/@]+@"), rf"\1:{REDACTED}@"),
)

Event = MutableMapping[str, Any]


def redact(value: Any) -> Any:
    """Return a copy of a log value in which keys, passwords and the like are blanked, at any depth."""
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {key: REDACTED if _SECRET_NAME.search(str(key)) else redact(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [redact(item) for item in value]
    return value


def _redact_event(logger: Any, method: str, event: Event) -> Event:
    cleaned: Event = redact(event)
    return cleaned


def _drop_celery_traceback(logger: Any, method: str, event: Event) -> Event:
    """Leave out the traceback that Celery adds even to an expected failure; an unexpected one has its own."""
    data = event.get("data")
    if isinstance(data, dict):
        event["data"] = {name: value for name, value in data.items() if name != "traceback"}
    return event


def _formatter() -> logging.Formatter:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _drop_celery_traceback,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _redact_event,
            structlog.processors.JSONRenderer(default=str),
        ],
    )


def configure_logging(level: str = "INFO") -> None:
    """Send every logger of this process through one JSON handler on standard error."""
    logging.basicConfig(handlers=[json_handler(sys.stderr)], level=level.upper(), force=True)
    for name in CHATTY if level.upper() != "DEBUG" else ():
        logging.getLogger(name).setLevel(logging.WARNING)


def json_handler(stream: TextIO) -> logging.Handler:
    """Make a handler that writes one redacted JSON line per event."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter())
    return handler


class Correlation(TypedDict, total=False):
    """What a new row of work keeps of where it comes from, in its `status_meta`."""

    correlation_id: str


def correlation() -> Correlation:
    """Return `{"correlation_id": …}` of the request or row at hand, or `{}`: what a new row of work keeps."""
    bound = get_contextvars()
    return {"correlation_id": bound[CORRELATION]} if CORRELATION in bound else {}


@contextmanager
def bound_to(status_meta: Mapping[str, Any], **values: Any) -> Iterator[None]:
    """Give every log line inside the correlation id that a row of work keeps, and the given values."""
    kept = {CORRELATION: status_meta[CORRELATION]} if CORRELATION in status_meta else {}
    with bound_contextvars(**kept, **values):
        yield
