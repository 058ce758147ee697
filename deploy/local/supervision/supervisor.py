"""Starts a stack in order, keeps it running, and stops it in order.

One thread and no signal handlers: signals are blocked, and taken between two rounds. Whatever may hang (a probe, the
database) is asked in a thread of its own.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence

from deploy.local.data.folder import Folder
from deploy.local.stack.plan import Process, Stage
from deploy.local.supervision.child import Child
from deploy.local.supervision.deafness import DeafnessWatch
from deploy.local.supervision.guard import Guard
from deploy.local.supervision.report import Report

ROUND = 0.2  # seconds; a child's end is noticed at once
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
SIGNALS = STOP_SIGNALS | {signal.SIGCHLD}
EDGE_PATIENCE = 1.5
STORE_PATIENCE = 1.5
START_ERRORS = (OSError, RuntimeError, subprocess.CalledProcessError)


class StartFailed(Exception):
    """A child did not become ready; the message names it, its exit code and its log's last lines."""


class StackStopped(Exception):
    """Somebody asked the stack to stop."""


class Supervisor:
    """The processes of one stack."""

    def __init__(
        self,
        folder: Folder,
        plan: Iterable[Process],
        report: Report,
        guard: Guard,
        *,
        grace: float = 5.0,
        changed: Callable[[Sequence[Child], bool], None] = lambda children, is_up: None,
        buried: Callable[[Process, int], None] = lambda process, pid: None,
        deafness: DeafnessWatch | None = None,
    ) -> None:
        self.children = [Child(process, folder, guard) for process in plan]
        self._folder = folder
        self._report = report
        self._guard = guard
        self._grace = grace
        self._changed = changed
        self._buried = buried
        self._deafness = deafness
        self._is_up = False

    def run(self) -> int:
        """Serve until a stop signal, and return the exit code: 1 when the stack did not come up."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._start()
            self._serve()
        except StartFailed as failure:
            self._report("failed", str(failure))
            return 1
        except StackStopped:
            return 0
        finally:
            self._stop()
        return 0

    def _start(self) -> None:
        for stage in Stage:
            earlier = [child for child in self.children if child.process.stage < stage]
            self._start_together([child for child in self.children if child.process.stage is stage], earlier)
        self._is_up = True
        self._note()
        self._report("up")

    def _start_together(self, beginning: Sequence[Child], earlier: Sequence[Child]) -> None:
        for child in beginning:
            self._begin(child)
        self._note()
        while not all(child.is_ready for child in beginning):
            self._wait()
            self._tend(earlier)
            for child in beginning:
                self._expect(child)
        self._note()

    def _begin(self, child: Child) -> None:
        self._report("starting", child.process.name)
        try:
            child.start()
        except START_ERRORS as error:
            raise StartFailed(f"{child.process.name} could not be started: {_reason(error)}") from error

    def _expect(self, child: Child) -> None:
        """Note that a child has become ready; raises StartFailed when it ended, or its time is over."""
        if child.is_ready:
            return
        if child.has_ended():
            self._conclude(child)
        elif child.age > child.process.deadline:
            raise StartFailed(self._explain(child, f"was not ready after {child.process.deadline:g} s"))
        elif child.check_readiness():
            self._report("ready", child.process.name)

    def _conclude(self, child: Child) -> None:
        code = child.bury()
        if child.process.once and code == 0:
            child.is_ready = True
            self._report("ready", child.process.name)
        elif child.discard_files():
            self._begin(child)
        else:
            raise StartFailed(self._explain(child, f"ended with exit code {code}"))

    def _explain(self, child: Child, what: str) -> str:
        name = child.process.name
        return f"{name} {what}; the end of {self._folder.log(name)}:\n{self._folder.log_tail(name)}"

    def _serve(self) -> None:
        while True:
            self._wait()
            self._tend(self.children)
            self._restart_deaf()
            self._guard.keep()

    def _wait(self) -> None:
        received = signal.sigtimedwait(SIGNALS, ROUND)
        if received is not None and received.si_signo in STOP_SIGNALS:
            raise StackStopped

    def _tend(self, children: Iterable[Child]) -> None:
        for child in children:
            if child.process.once:
                continue
            if child.has_ended():
                self._bury(child)
            elif not child.is_running:
                self._restart_when_due(child)
            elif not child.is_ready and child.check_readiness():
                self._report("ready", child.process.name)
                self._note()
            child.kill_when_due()

    def _bury(self, child: Child) -> None:
        pid = child.pid
        assert pid is not None
        code = child.bury()
        self._report("exited", child.process.name, code=code)
        self._buried(child.process, pid)
        self._note()

    def _restart_when_due(self, child: Child) -> None:
        if time.monotonic() < child.due:
            return
        child.restarts += 1
        self._report("restarting", child.process.name)
        try:
            child.start()
        except START_ERRORS as error:
            self._report("exited", child.process.name, reason=_reason(error))
            child.count_failure(child.failures + 1)
        self._note()

    def _restart_deaf(self) -> None:
        if self._deafness is None:
            return
        for child in self._deafness.deaf(self.children):
            self._report(
                "restarting",
                child.process.name,
                reason="it takes no work, or half never comes back",
            )
            child.ask_to_stop(self._grace)

    def _note(self) -> None:
        self._changed(self.children, self._is_up)

    def _stop(self) -> None:
        """End everything: who holds rows first, the stores last, each with its patience."""
        self._report("stopping")
        workers = [child for child in self.children if child.process.queues]
        stores = [child for child in self.children if child.process.stage is Stage.STORE]
        others = [child for child in self.children if child not in workers and child not in stores]
        self._end(workers, self._grace)
        self._end(others, EDGE_PATIENCE)
        self._end(stores, STORE_PATIENCE)
        self._guard.close()
        self._report("stopped")

    def _end(self, children: Sequence[Child], patience: float) -> None:
        for child in children:
            child.ask_to_stop(patience)
        while any(child.is_running for child in children):
            for child in children:
                child.kill_when_due()
                if child.has_ended():
                    child.bury()
            signal.sigtimedwait(SIGNALS, 0.05)


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError) and error.stderr:
        return f"{error}\n{error.stderr.decode(errors='replace').strip()}"
    return str(error)
