"""Is everything there that this needs? Asked of all at once, answered in time even by what hangs."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import NamedTuple

from flask import Flask

from shared.providers import checks
from shared.providers.checks import Check, Trial, explain
from shared.settings import Settings

PATIENCE = 1.5  # seconds for all checks together
KEPT = 5.0  # seconds that an answer of a model server is repeated: anybody may ask us, and it may cost tokens


class Health(NamedTuple):
    """What is down: of what nothing works without, and of what only some things need."""

    down: dict[str, str]
    degraded: dict[str, str]


class Asked:
    """A check in a thread; one that still hangs from an earlier question is not asked again."""

    def __init__(self, check: Check, *, kept: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._kept = kept
        self._clock = clock
        self._begun = float("-inf")
        self._fault: str | None = None
        self._lock = Lock()
        self._running: Future[None] = Future()
        self._running.set_result(None)

    def begin(self, pool: Executor, settings: Settings) -> "Future[None]":
        """Ask, unless it is being asked or has answered just now; return the answer that is to come, or has."""
        with self._lock:
            if self._running.done() and self._clock() - self._begun >= self._kept:
                self._begun = self._clock()
                self._running = pool.submit(self._check, settings)
            return self._running

    def fault(self, answer: "Future[None]") -> str | None:
        """Say what is wrong by this answer; of a model that is still being tried, what was wrong the last time."""
        if answer.done():
            error = answer.exception()
            self._fault = explain(error) if error else None
        elif not self._kept:
            return "no answer in time"
        return self._fault


class Readiness:
    """The checks of one gateway process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.needed = {"postgres": Asked(checks.check_database), "broker": Asked(checks.check_broker)}
        self.useful = {
            "chat": Asked(Trial(checks.CHAT), kept=KEPT),
            "embedding": Asked(Trial(checks.EMBEDDING), kept=KEPT),
        }
        self.pool = ThreadPoolExecutor(4, thread_name_prefix="readiness")

    def ask(self) -> Health:
        """Ask everything at once; takes at most PATIENCE seconds for each that hangs, all together."""
        checks = self.needed | self.useful
        # Our own: who asks meanwhile begins others, which we did not wait for.
        answers = {name: check.begin(self.pool, self.settings) for name, check in checks.items()}
        wait(answers.values(), timeout=PATIENCE)
        faults = {name: fault for name, check in checks.items() if (fault := check.fault(answers[name]))}
        return Health(*({name: faults[name] for name in faults if name in part} for part in (self.needed, self.useful)))


def install(app: Flask, settings: Settings) -> None:
    """Keep this app's checks beside it."""
    app.extensions["readiness"] = Readiness(settings)
