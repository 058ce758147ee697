"""What another thread can end while one is blocked in it: a connection, a request, a process."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Close = Callable[[], object]
OnOpen = Callable[
    [Close], object
]  # is given what ends a request or a process that was begun, for another thread to call
OPENED = ("connect_tcp.complete", "start_tls.complete")


class Interruptible:
    """The socket of a request, noted as it is opened (httpcore's `trace` extension); safe to share between threads."""

    def __init__(self) -> None:
        self.is_closed = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the socket when one is opened; one that is opened too late is shut at once."""
        if event.endswith(OPENED):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
            if self.is_closed:
                self._shut()

    def interrupt(self) -> None:
        """Shut the socket: a thread that reads from it wakes with an end of file."""
        self.is_closed = True
        self._shut()

    def _shut(self) -> None:
        with self._lock, suppress(OSError):
            if self._socket is not None:
                # The plain method: SSLSocket's own would take the TLS object from under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
