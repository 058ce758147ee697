"""The supervisor's end of the guardian: whom to end if the supervisor is killed."""

import os
import subprocess
import sys
from contextlib import suppress
from typing import IO


class Guard:
    """Keeps a guardian running, and tells it about the children."""

    def __init__(self, lock: IO[bytes]) -> None:
        self._lock = lock
        self._pids: set[int] = set()
        self._start()

    def _start(self) -> None:
        # Its own session: whoever kills the supervisor's group must not kill the guardian with it.
        self._guardian = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.supervision.guardian"],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(self._lock.fileno(),),
        )

    @property
    def descriptor(self) -> int:
        """The pipe into which a child writes its own pid before it becomes its program."""
        assert self._guardian.stdin is not None
        return self._guardian.stdin.fileno()

    @property
    def pid(self) -> int:
        """The guardian's pid."""
        return self._guardian.pid

    def remember(self, pid: int) -> None:
        """Name a child again to a guardian that may be new."""
        self._pids.add(pid)

    def forget(self, pid: int) -> None:
        """Take a child off the list: its family has ended, and the pid may become somebody else's."""
        self._pids.discard(pid)
        self._write(f"-{pid}")

    def keep(self) -> None:
        """Start a guardian that was killed again, and tell it what the old one knew."""
        if self._guardian.poll() is None:
            return
        self.close()
        self._start()
        for pid in self._pids:
            self._write(f"+{pid}")

    def _write(self, line: str) -> None:
        with suppress(BrokenPipeError):
            os.write(self.descriptor, f"{line}\n".encode())

    def close(self) -> None:
        """Let the guardian end what is left, and wait for it."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait()
