"""A supervisor over real stores and dummy children: `python -m tests.system.dummy_stack REPORT_FD [--attached]`.

DUMMY_CHILDREN names them: `plain` has a child in its session, `stubborn` ignores every polite signal, `broken` ends at
once, `mute` is never ready.
"""

import os
import sys

from deploy.local import plan, run
from deploy.local.plan import Process, Stage

SLEEP = "import time, os, signal\n"
PROGRAMS = {
    "plain": SLEEP + "os.fork()\ntime.sleep(1000)",
    "stubborn": SLEEP + "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]\nos.fork()\ntime.sleep(1000)",
    "broken": "raise SystemExit('the dog ate it')",
    "mute": SLEEP + "time.sleep(1000)",
}


def dummy(name: str) -> Process:
    return Process(
        name,
        Stage.EDGE,
        [sys.executable, "-c", PROGRAMS[name]],
        is_ready=lambda: name not in ("mute", "broken"),
        deadline=1.0 if name == "mute" else 30.0,
    )


def make_plan(*values) -> list[Process]:
    stores = [process for process in plan.plan(*values) if process.stage is Stage.STORE]
    return [*stores, *map(dummy, filter(None, os.environ["DUMMY_CHILDREN"].split(",")))]


if __name__ == "__main__":
    sys.exit(run.main(int(sys.argv[1]), attached="--attached" in sys.argv, make_plan=make_plan))
