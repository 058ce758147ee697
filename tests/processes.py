"""Real processes for system tests: servers that can be stopped and killed, and workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config

from deploy.local.data import ports, servers

Value = TypeVar("Value")
ROOT = Path(__file__).parents[1]
PASSWORD = "test"
DEADLINE = 60.0  # for what must come at last; a promise of seconds says so itself
SHORT = {  # the same life of work, five times as fast
    "PERSONAE_LEASE_SECONDS": "4",
    "PERSONAE_RENEW_SECONDS": "1",
    "PERSONAE_SWEEP_SECONDS": "1",
    "PERSONAE_WATCH_SECONDS": "2",
    "PERSONAE_CANCEL_HONOUR_SECONDS": "3",
    "PERSONAE_STOP_GRACE_SECONDS": "1",
    "PERSONAE_MIN_SIMILARITY": "-1",  # scripted vectors are less alike than a model's
}


def allowed(seconds: float) -> float:
    """Return the seconds that a promise of so many may take here and now: it was not given for a busy machine."""
    return seconds * (1 + os.getloadavg()[0] / (os.cpu_count() or 1))


def eventually(read: Callable[[], Value], wanted: Callable[[Value], bool], seconds: float = DEADLINE) -> Value:
    """Read until the value is as wanted, and return it; fail with the last value after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if wanted(value):
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {seconds:g} s"
        time.sleep(0.05)


def until(condition: Callable[[], Value], seconds: float = DEADLINE) -> Value:
    """Return the condition's first true value; fail when there is none within `seconds`."""
    return eventually(condition, bool, seconds)


def migrate() -> None:
    """Bring the database of the settings to the newest schema."""
    configuration = Config(ROOT / "alembic.ini")
    configuration.set_main_option("script_location", str(ROOT / "migrations"))
    command.upgrade(configuration, "head")


class Server:
    """A Postgres or a broker on a fixed port, which a test may kill and start again."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self.process = start()

    def signal(self, number: int) -> None:
        """Send a signal to the server's process."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def restart(self) -> None:
        """Start it again on the same port with what its disk holds."""
        self.process = self._start()

    def stop(self) -> None:
        """End it for good."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)


@contextmanager
def broker(folder: Path) -> Iterator[tuple[Server, str]]:
    """A broker of the test's own; yields the server and its URL."""
    port = ports.free_port()
    folder.mkdir()
    configuration = servers.write_valkey_configuration(folder, port, PASSWORD)
    with (folder / "log").open("wb") as log:
        server = Server(lambda: servers.start_valkey(configuration, log))
        try:
            yield server, f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        finally:
            server.stop()


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[Server, int]]:
    """A Postgres of the test's own, with durable commits; yields the server and its port."""
    port = ports.free_port()
    folder.mkdir()
    servers.initialise_postgres(folder / "data", PASSWORD)
    with (folder / "log").open("wb") as log:
        server = Server(lambda: servers.start_postgres(folder / "data", port, log))
        try:
            yield server, port
        finally:
            server.stop()


class Workers:
    """Celery workers as the supervisor starts them, each leading a process group of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], app: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT), "PROBE_WORKER": "1"}
        self._app = app
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, queues: str, *, pool: str = "threads", concurrency: int = 4) -> None:
        """Start a worker; `pool` is threads, prefork or solo."""
        custom = {"CELERY_CUSTOM_WORKER_POOL": "services.pool:WakingThreads"} if pool == "threads" else {}
        command = [
            sys.executable, "-m", "celery", "-A", self._app, "worker", "-Q", queues, "-n", f"{name}@%h",
            "-P", "custom" if custom else pool, "-c", str(concurrency), "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        self._run(name, command, custom)

    def start_beat(self) -> None:
        """Start the beat, which rings the sweep."""
        schedule = str(self._folder / "beat")
        self._run("beat", [sys.executable, "-m", "celery", "-A", self._app, "beat", "-s", schedule], {})

    def start_upkeep(self) -> None:
        """Start what mends faults: the beat and the sweeping worker."""
        self.start("upkeep", "upkeep", pool="solo", concurrency=1)
        self.start_beat()

    def _run(self, name: str, command: list[str], extra: dict[str, str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self._environment | extra, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def signal_group(self, name: str, number: int) -> None:
        """Send a signal to a worker and all its children."""
        os.killpg(self.processes[name].pid, number)

    def terminate(self, name: str) -> int:
        """Stop a worker gracefully; return its exit code."""
        self.processes[name].terminate()
        return self.processes.pop(name).wait(DEADLINE)

    def log(self, name: str) -> str:
        """Return what a worker has logged so far."""
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """Kill every worker that is left."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
