"""What the server refuses before there is a request for the application, in the shape of every error."""

import json
from http import HTTPStatus
from typing import Any

from gunicorn import util

from gateway.http.errors import type_of
from shared import failures

WORDS = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "the address is longer than 4094 characters: send long values in a body",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "there are too many headers, or one is too long",
    HTTPStatus.INTERNAL_SERVER_ERROR: "something went wrong here; the logs have it",
}


def write_error(client: Any, status: int, reason: str, message: str) -> None:
    """Answer in JSON, in the place of the server's own page."""
    said = WORDS.get(HTTPStatus(status), f"this is no request as HTTP has it: {message}")
    body = json.dumps(failures.body(said, error_type=type_of(status), status=status), ensure_ascii=False).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    write: Any = util.write_nonblock  # which is not typed
    write(client, head.encode("latin1") + body)
