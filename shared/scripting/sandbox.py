"""The sandbox's processes: pools of this process's own, each opened at its first use.

A script that runs another waits for a process while it has one. Each depth has its pool, so none waits in a circle;
together they have `script_processes`, most of them for the outermost runs.
"""

import os
import threading

from pydantic_monty import Monty, MontySession, OSPolicy, ResourceLimits

from shared.scripting.spending import DEEPEST
from shared.settings import get_settings

MEBIBYTES = 16  # that a script may hold
LIMITS = ResourceLimits(
    max_feed_duration_secs=1.0,
    max_turn_duration_secs=0.5,
    max_memory=MEBIBYTES << 20,
    max_recursion_depth=200,
    max_suspensions=400,
    max_total_sleep_secs=0.0,
)
SCRIPT_NAME = "module.py"
CHECKOUT_SECONDS = 30.0
TURN_SECONDS = 3.0
CHECKOUTS_PER_WORKER = 500
TOO_LONG = (
    f"a script may compute {LIMITS['max_turn_duration_secs']:g} s at a time and {LIMITS['max_feed_duration_secs']:g} s "
    "in all: it was stopped in the middle of one operation, as on a number of millions of digits"
)
LOST = f"the script's process ended: it may hold {MEBIBYTES} MiB, and make texts and numbers within it"


def processes_at(depth: int, total: int) -> int:
    """Return how many processes are for runs at a depth: an eighth each, but the outermost have the rest."""
    inner = max(total // 8, 1)
    return inner if depth else total - DEEPEST * inner


class _Pool:
    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._lock = threading.Lock()
        self._open: Monty | None = None
        self._was_open_before_fork = False
        os.register_at_fork(after_in_child=self._note_fork)

    def get(self) -> Monty:
        with self._lock:
            # Its threads do not survive a fork, and both processes would hang: there is no way back.
            if self._was_open_before_fork:
                raise RuntimeError("the sandbox was opened before this process forked")
            if self._open is None:
                self._open = Monty(
                    min_processes=1,
                    max_processes=processes_at(self._depth, get_settings().script_processes),
                    request_timeout=TURN_SECONDS,
                    checkout_timeout=CHECKOUT_SECONDS,
                    max_checkouts_per_worker=CHECKOUTS_PER_WORKER,
                ).__enter__()
            return self._open

    def _note_fork(self) -> None:
        self._lock = threading.Lock()
        self._was_open_before_fork = self._open is not None


_POOLS = [_Pool(depth) for depth in range(DEEPEST + 1)]


def checkout(policy: OSPolicy, depth: int = 0) -> MontySession:
    """Return a session in a process of the sandbox, for one run at a depth; raises RuntimeError after a fork."""
    return (
        _POOLS[depth]
        .get()
        .checkout(limits=LIMITS, os_policy=policy, script_name=SCRIPT_NAME, assert_message_annotations=False)
    )
