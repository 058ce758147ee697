"""Outlives a supervisor that was killed, and ends what it left: `python -m deploy.local.supervision.guardian < pipe`.

The supervisor and its children write `+pid` and `-pid` lines into the pipe; its end means that the supervisor is gone.
The guardian also holds the data directory's lock, so a new stack waits until the old one has left.
"""

import signal
import sys
import time
from collections.abc import Iterable

from deploy.local.processes import Identity, family, send, table

GRACE = 6.0  # the kernel has told the children to stop (see launch.py): what a worker needs to hand its rows back
POLL = 0.1


def enlisted(lines: Iterable[str]) -> set[int]:
    """Follow the pipe to its end and return the children that are still listed."""
    pids: set[int] = set()
    for line in lines:
        change, pid = line[0], int(line[1:])
        (pids.add if change == "+" else pids.discard)(pid)
    return pids


def end(leaders: set[int], grace: float) -> None:
    """Return once no process of the leaders' families is left; after the grace they are killed."""
    deadline = time.monotonic() + grace
    known: set[Identity] = set()
    while leaders and (known := family(table(), leaders, known)):
        if time.monotonic() > deadline:
            send(known, signal.SIGKILL)
        time.sleep(POLL)


if __name__ == "__main__":
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)
    end(enlisted(sys.stdin), GRACE)
