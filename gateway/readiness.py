"""Is everything there that this needs? Asked of all at once, answered in time even by what hangs."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
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
        self.running: Future[None] = Future()
        self.running.set_result(None)

    def begin(self, pool: Executor, settings: Settings) -> None:
        """Ask, unless it is being asked or has answered just now."""
        if self.running.done() and self._clock() - self._begun >= self._kept:
            self._begun = self._clock()
            self.running = pool.submit(self._check, settings)

    def fault(self) -> str | None:
        """Say what is wrong; of a model that is still being tried, what was wrong the last time."""
        if self.running.done():
            error = self.running.exception()
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
        all_asked = [*self.needed.values(), *self.useful.values()]
        for asked in all_asked:
            asked.begin(self.pool, self.settings)
        wait([asked.running for asked in all_asked], timeout=PATIENCE)
        return Health(faults_of(self.needed), faults_of(self.useful))


def faults_of(asked: dict[str, Asked]) -> dict[str, str]:
    """Return what is wrong with each that is not well."""
    return {name: fault for name, check in asked.items() if (fault := check.fault())}


def install(app: Flask, settings: Settings) -> None:
    """Keep this app's checks beside it."""
    app.extensions["readiness"] = Readiness(settings)
