"""Requests that hold a thread for long, streams and waits: how many may, and whether their clients are still there.

A few threads of each process are kept from them: it goes on answering everything else, /health too.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import cast

from apiflask import APIFlask
from flask import Response, current_app, g, request

from shared.errors import Unavailable
from shared.settings import Settings

KEPT = 16  # threads of a process, or a quarter of few
UNHEARD_MILLISECONDS = 20_000  # that a client may leave unconfirmed what it was sent
FULL = "as many streams and waits are open here as there may be; try again, another process may have a place"


class Places:
    """How many requests of this process may hold a thread for long."""

    def __init__(self, threads: int) -> None:
        self.free = max(1, threads - max(1, min(KEPT, threads // 4)))
        self._lock = Lock()

    def take(self) -> bool:
        """Take a place, if one is free."""
        with self._lock:
            taken = self.free > 0
            self.free -= taken
        return taken

    def give_back(self) -> None:
        """Let another have the place."""
        with self._lock:
            self.free += 1


def install(app: APIFlask, settings: Settings) -> None:
    """Give a place back when the answer is made, or its stream is closed."""
    app.extensions["places"] = Places(settings.gateway_threads)
    app.after_request(hold_while_streaming)
    app.teardown_request(end)


def take() -> bool:
    """Take a place for this request, once; False when it may not hold its thread."""
    if "place" not in g:
        places = cast("Places", current_app.extensions["places"])
        if not places.take():
            return False
        g.place = places
    return True


def require() -> None:
    """Take a place for this request; raises Unavailable, before anything is begun, where none is free."""
    if not take():
        raise Unavailable(FULL)


def hold_while_streaming(response: Response) -> Response:
    """Leave the place of a stream to whoever closes it: the server does, also when its client has left."""
    if response.is_streamed and "place" in g:
        response.call_on_close(g.pop("place").give_back)
    return response


def end(_error: BaseException | None) -> None:
    """Give back the place of a request that leaves no stream."""
    if "place" in g:
        g.pop("place").give_back()


def departure() -> Callable[[], bool]:
    """Return what says whether the client of this request has left, also when the request is no longer at hand."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return lambda: False
    with suppress(OSError):  # a client whose network is gone says no farewell
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MILLISECONDS)
    return lambda: has_left(connection)


def has_left(connection: socket.socket) -> bool:
    """Say whether the other end was closed; one that closes only its half counts as gone, as it does with proxies."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
