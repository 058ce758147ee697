"""JSON and server-sent events over the standard library's HTTP server: all that a model server needs."""

import json
import select
import socket
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY_BYTES = 8 << 20
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class BadRequest(Exception):
    """A request that cannot be answered; carries the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class JsonServer(ThreadingHTTPServer):
    """A thread per connection, none of which outlives the process."""

    daemon_threads = True
    request_queue_size = 256

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        host, port = self.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that hang up; say the rest as the base class does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class JsonHandler(BaseHTTPRequestHandler):
    """Reads a JSON body, answers JSON or a stream of events, on a connection that is kept."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600

    def routes(self) -> Mapping[str, Callable[[], None]]:
        """Return what answers which `METHOD /path`."""
        raise NotImplementedError

    def dispatch(self) -> None:
        """Run the route of this request, and say a refused request in OpenAI's shape."""
        path = self.path.partition("?")[0]
        route = self.routes().get(f"{self.command} {path}")
        try:
            if route is None:
                self.close_connection = True  # a body that nobody reads would be taken for the next request
                raise BadRequest(f"there is no {self.command} {path}", 404)
            route()
        except BadRequest as error:
            self.send_failure(error.status, str(error))
        except ConnectionError:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = dispatch  # noqa: N815 - the names that the base class looks up

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing per request: the caller's log has it."""

    def read_json(self) -> dict[str, Any]:
        """Return the body's object; raises BadRequest."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            raise BadRequest(f"the body is over {MAX_BODY_BYTES} bytes", 413)
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError as error:
            raise BadRequest("the body is not JSON") from error
        if not isinstance(body, dict):
            raise BadRequest("the body must be a JSON object")
        return body

    def send_json(self, status: int, body: Any, **headers: str) -> None:
        """Answer with one JSON document."""
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def send_failure(self, status: int, message: str, **headers: str) -> None:
        """Answer with an error in OpenAI's shape."""
        kind = ERROR_TYPES.get(status, "server_error")
        self.send_json(status, {"error": {"message": message, "type": kind, "code": status}}, **headers)

    def begin_events(self) -> None:
        """Start a stream of server-sent events, in chunks whose end tells a whole reply from a cut one."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_bytes(self, payload: bytes) -> None:
        """Send a piece of the stream at once."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(payload), payload))

    def end_events(self) -> None:
        """End the stream as a whole one."""
        self.wfile.write(b"0\r\n\r\n")

    def client_is_gone(self) -> bool:
        """Say whether the client has closed its side; never blocks."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True
