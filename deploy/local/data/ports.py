"""Loopback ports for one stack: remembered, and chosen anew when taken."""

import errno
import random
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ANY = 0
LOWEST = 10_000
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen there now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def claim(port: int) -> socket.socket | None:
    """Keep other stacks of this machine off a port while the returned socket is open; None when one was here first.

    A name in the abstract namespace lives as long as its holder, in the same network namespace as the port: it closes
    the gap between choosing a port and the server's listening on it.
    """
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0personae-port-{port}")
    except OSError:
        mark.close()
        return None
    return mark


class Ports:
    """The ports of one stack; they stay claimed while this object lives."""

    def __init__(self, wanted: Mapping[str, Sequence[int]]) -> None:
        self._claims: list[socket.socket] = []
        self.chosen = {name: self._choose(preferred) for name, preferred in wanted.items()}

    def _choose(self, preferred: Iterable[int]) -> int:
        return next(port for port in _candidates(preferred) if self._take(port))

    def _take(self, port: int) -> bool:
        mark = claim(port) if is_free(port) else None
        if mark is not None:
            self._claims.append(mark)
        return mark is not None

    def release(self) -> None:
        """Let other stacks have them."""
        for mark in self._claims:
            mark.close()


def _candidates(preferred: Iterable[int]) -> Iterator[int]:
    yield from preferred
    yield from at_random()


def at_random() -> Iterator[int]:
    """Yield ports below those of outgoing connections, one of which may sit on a server's port while it restarts."""
    below = range(LOWEST, int(OUTGOING.read_text().split()[0]))
    while below:
        yield random.choice(below)
    while True:
        yield _any_port()


def _any_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ANY))
        port: int = listener.getsockname()[1]
        return port


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    return next(port for port in at_random() if is_free(port))
