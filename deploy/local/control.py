"""Starting and stopping a stack from another process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local.data import state
from deploy.local.data.folder import Folder
from deploy.local.processes import family, identify, send, table, uptime

ROOT = Path(__file__).parents[2]
SUPERVISOR = "deploy.local.supervision.run"
PATIENCE = 9.0  # seconds of this process's life for an orderly stop, of the ten that a stop may take
SHORTEST = 6.0  # what is left for it however long this process took to begin: workers hand their rows back in it


class Supervised:
    """A supervisor that this process started, and what it reports."""

    def __init__(self, folder: Folder, *, attached: bool, module: str = SUPERVISOR) -> None:
        folder.make()
        reader, writer = os.pipe()
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with folder.open_log("supervisor") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(writer), *([str(os.getpid())] if attached else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path, "PERSONAE_DATA_DIR": str(folder.root)},
                start_new_session=True,
                pass_fds=(writer,),
            )
        os.close(writer)
        self._reader = os.fdopen(reader)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield its reports until it ends."""
        for line in self._reader:
            yield json.loads(line)

    def ask_to_stop(self) -> None:
        """Ask it to stop the stack."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return its exit code."""
        self._reader.close()
        return self._process.wait()

    def detach(self) -> None:
        """Leave it to itself."""
        self._reader.close()
        self._process.returncode = 0  # else Popen complains of a child that nobody waited for


def patience_left() -> float:
    """Return what is left of the ten seconds: on a busy machine this process has spent some of them on starting."""
    this = identify(os.getpid())
    return max(SHORTEST, PATIENCE - (uptime(this) if this else 0.0))


def stop(folder: Folder, patience: float | None = None) -> bool:
    """End a data directory's stack and return whether there was one; on return none of its processes is left."""
    running = state.find_running(folder)
    if running is None:
        return False
    send([running.supervisor], signal.SIGTERM)
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while running.is_running or _is_locked(folder):
        if time.monotonic() > deadline:
            _kill(running)
        time.sleep(0.05)
    return True


def _is_locked(folder: Folder) -> bool:
    lock = folder.take_lock()
    if lock is not None:
        lock.close()
    return lock is None


def _kill(running: state.State) -> None:
    leaders = {pid for child in running.children if (pid := child.pid) is not None}
    send({running.supervisor, *family(table(), leaders)}, signal.SIGKILL)
