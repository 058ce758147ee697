"""A supervisor over real stores and dummy children: `python -m tests.system.dummy_stack REPORT_FD [PARENT]`.

DUMMY_CHILDREN names them: `plain` has a child in its session, `stubborn` ignores every polite signal, `broken` ends at
once, `mute` is never ready, `spoiled` cannot start while its file is there.
"""

import os
import sys
from pathlib import Path

from deploy.local.stack import plan
from deploy.local.stack.plan import Process, Stage
from deploy.local.supervision import run

DATA = Path(os.environ["PERSONAE_DATA_DIR"])
SLEEP = "import time, os, signal, sys\n"
PROGRAMS = {
    "plain": SLEEP + "os.fork()\ntime.sleep(1000)",
    "stubborn": SLEEP + "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]\nos.fork()\ntime.sleep(1000)",
    "broken": "raise SystemExit('the dog ate it')",
    "mute": SLEEP + "time.sleep(1000)",
    "spoiled": SLEEP + "sys.exit(1) if os.path.exists(sys.argv[1]) else time.sleep(1000)",
}


def dummy(name: str) -> Process:
    return Process(
        name,
        Stage.EDGE,
        [sys.executable, "-c", PROGRAMS[name], str(DATA / name)],
        is_ready=lambda: name in ("plain", "stubborn") or (name == "spoiled" and not (DATA / name).exists()),
        deadline=1.0 if name == "mute" else 30.0,
        disposable=(DATA / name,),
    )


def make_plan(*values) -> list[Process]:
    stores = [process for process in plan.plan(*values) if process.stage is Stage.STORE]
    return [*stores, *map(dummy, filter(None, os.environ.get("DUMMY_CHILDREN", "").split(",")))]


if __name__ == "__main__":
    sys.exit(run.main(*map(int, sys.argv[1:]), make_plan=make_plan))
