"""One child of the supervisor: started in a session of its own, watched, probed, and ended with its whole family."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from deploy.local.data.folder import Folder
from deploy.local.processes import Identity, family, identify, send, table
from deploy.local.stack.plan import Process
from deploy.local.stack.probes import Probe
from deploy.local.supervision.guard import Guard
from shared.background import begin

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
HEALTHY_AFTER = 60.0
HOPELESS = 3  # failures in a row after which a child's disposable files are thought to be the reason


def restart_delay(failures: int) -> float:
    """Return the seconds to wait before starting again after `failures` ends in a row, the last included."""
    return min(FIRST_DELAY * 2.0 ** min(failures - 1, 16), LONGEST_DELAY)


class OpenProbe:
    """A probe asked in a thread: the supervisor never waits for a server that does not answer."""

    def __init__(self, probe: Probe) -> None:
        self.answer = False
        self._thread = begin("asking a child", lambda: self._ask(probe))

    def _ask(self, probe: Probe) -> None:
        self.answer = probe()

    @property
    def is_open(self) -> bool:
        return self._thread.is_alive()


class Child:
    """A process of the plan, through its lives."""

    def __init__(self, process: Process, folder: Folder, guard: Guard) -> None:
        self.process = process
        self.is_ready = False
        self.failures = 0
        self.restarts = 0
        self.due = 0.0
        self.exit_code: int | None = None
        self.identity: Identity | None = None
        self._folder = folder
        self._guard = guard
        self._running: subprocess.Popen[bytes] | None = None
        self._question: OpenProbe | None = None
        self._born = 0.0
        self._kill_at: float | None = None

    @property
    def is_running(self) -> bool:
        """Say whether it was started and its end has not been dealt with."""
        return self._running is not None

    @property
    def pid(self) -> int | None:
        """Return the pid of its current life."""
        return self._running.pid if self._running else None

    @property
    def age(self) -> float:
        """Return the seconds since its current life began."""
        return time.monotonic() - self._born

    def start(self) -> None:
        """Begin a life; raises OSError, RuntimeError or CalledProcessError when its preparations fail."""
        self.process.before()
        with self._folder.open_log(self.process.name) as log:
            self._running = subprocess.Popen(
                [*self._launcher(), *self.process.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.process.environment},
                start_new_session=True,
                pass_fds=(self._guard.descriptor,),
            )
        self._guard.remember(self._running.pid)
        self._born = time.monotonic()
        self._kill_at = self._question = None
        self.is_ready = False
        self.identity = identify(self._running.pid)

    def _launcher(self) -> list[str]:
        arguments = (self._guard.descriptor, int(self.process.stop_signal), os.getpid())
        return [sys.executable, "-m", "deploy.local.supervision.launch", *map(str, arguments)]

    def has_ended(self) -> bool:
        """Say whether it has exited, leaving it a zombie so that its pid stays its own."""
        if self._running is None:
            return False
        return os.waitid(os.P_PID, self._running.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def bury(self) -> int:
        """End what it left behind, and return its exit code; `due` and `failures` then say when to start it again."""
        assert self._running is not None
        self.kill()
        self.exit_code = self._running.wait()
        self._guard.forget(self._running.pid)
        self._running = self.identity = None
        self.is_ready = False
        healthy = self.age > HEALTHY_AFTER
        self.count_failure(1 if healthy else self.failures + 1)
        return self.exit_code

    def count_failure(self, failures: int) -> None:
        """Put the next start off, the longer the more failures came in a row."""
        self.failures = failures
        self.due = time.monotonic() + restart_delay(failures)
        if failures >= HOPELESS:
            self.discard_files()

    def discard_files(self) -> bool:
        """Remove the files it can do without, which a kill may have torn, and return whether there were any."""
        torn = [file for path in self.process.disposable for file in path.parent.glob(f"{path.name}*")]
        for path in torn:
            path.unlink()
        return bool(torn)

    def check_readiness(self) -> bool:
        """Ask the probe again when it has answered, and return whether the child has ever been ready in this life."""
        if self.is_ready or self._running is None or self.process.once:
            return self.is_ready
        if self._question is None:
            self._question = OpenProbe(self.process.is_ready)
        elif not self._question.is_open:
            self.is_ready = self._question.answer
            self._question = None
        return self.is_ready

    def ask_to_stop(self, patience: float) -> None:
        """Send its stop signal; `kill_when_due` ends its family once the patience, in seconds, is over."""
        if self._running is None or self._kill_at is not None:
            return
        self._kill_at = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.kill(self._running.pid, self.process.stop_signal)

    def kill_when_due(self) -> None:
        """Kill a child that was asked to stop and did not."""
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self.kill()

    def kill(self) -> None:
        """End its family at once."""
        if self._running is not None:
            send(family(table(), {self._running.pid}), signal.SIGKILL)
