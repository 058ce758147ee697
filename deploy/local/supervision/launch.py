"""Becomes a program that the supervisor outlives: `python -m deploy.local.supervision.launch FD SIGNAL PARENT …`."""

import os
import signal
import sys
from contextlib import suppress

from deploy.local.processes import dies_with_parent


def launch(guardian: int, death_signal: int, parent: int, command: list[str]) -> None:
    """Enlist with the guardian before the program begins, so that no kill of the supervisor falls in between."""
    dies_with_parent(death_signal)()
    with suppress(BrokenPipeError):
        os.write(guardian, f"+{os.getpid()}\n".encode())
    os.close(guardian)
    if os.getppid() != parent:
        raise SystemExit("the supervisor is gone")
    # Python ignores SIGPIPE and the supervisor blocks its signals: a program must inherit neither.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvp(command[0], command)


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
