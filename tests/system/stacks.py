"""Stacks started as a user starts them, and a look at what they leave in the process table."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from deploy.local import control
from deploy.local.data import state
from deploy.local.data.folder import Folder
from deploy.local.processes import table
from tests.processes import until

ROOT = Path(__file__).parents[2]
START_DEADLINE = 240.0


@dataclass(frozen=True)
class Stack:
    """A data directory, and the command line on it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    program: str = "deploy.cli.main"
    prefix: tuple[str, ...] = ()  # words before the command that change who runs it

    @property
    def variables(self) -> dict[str, str]:
        """What the commands find in their environment: nothing of the machine's settings."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "PERSONAE_DATA_DIR": str(self.folder), **self.environment}

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a `personae` command."""
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", self.program, *words], text=True, cwd="/", env=self.variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `personae` command to its end."""
        with self.begin(*words) as process:
            out, error = process.communicate(timeout=START_DEADLINE)
        return subprocess.CompletedProcess(words, process.returncode, out, error)

    def start(self) -> dict[str, Any]:
        """Start the stack in the background and return its status."""
        done = self.run("up", "--detach")
        assert done.returncode == 0, done.stderr
        return self.status()

    def status(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        status = state.describe(Folder(self.folder))
        assert status is not None, f"no stack runs on {self.folder}"
        return status

    def stop(self) -> None:
        """End what still runs, as `down` does."""
        control.stop(Folder(self.folder))

    def supervisor(self) -> int:
        """Return the supervisor's pid."""
        pid: int = self.state()["supervisor"][0]
        return pid

    def state(self) -> dict[str, Any]:
        """Return what the supervisor says of itself, more than `status` prints."""
        written: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return written

    def pid_of(self, name: str) -> int | None:
        """Return a child's pid of now; None while it is not running."""
        child = next(child for child in self.state()["children"] if child["name"] == name)
        return child["identity"][0] if child["identity"] else None

    def kill(self, name: str) -> int:
        """End a child and its whole group as a power cut would, once it runs; return the pid that it had."""
        pid = until(lambda: self.pid_of(name), 30)
        assert pid is not None
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return pid

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Keep a child dead, its supervisor asleep; afterwards the supervisor starts it again."""
        os.kill(self.supervisor(), signal.SIGSTOP)
        try:
            self.kill(name)
            yield
        finally:
            os.kill(self.supervisor(), signal.SIGCONT)

    def log(self, name: str) -> str:
        """Return what a child has logged."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    def processes(self) -> dict[int, str]:
        """Return every living process of this stack with its command line, whoever its parent is now."""
        return {entry.pid: _words(entry.pid) for entry in table() if self._owns(entry.pid)}

    def _owns(self, pid: int) -> bool:
        marks = (_read(pid, "environ"), _read(pid, "cmdline"), _working_directory(pid))
        return pid != os.getpid() and any(str(self.folder).encode() in mark for mark in marks)

    def is_gone(self) -> bool:
        """Say whether none of its processes is left."""
        return not self.processes()


def ask(url: str, statement: str, *values: Any, database: str | None = None) -> list[tuple[Any, ...]]:
    """Run one SQL statement on a connection of its own, to the URL's database or to another on its server."""
    elsewhere = {"dbname": database} if database else {}
    with closing(psycopg2.connect(url, connect_timeout=3, **elsewhere)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _working_directory(pid: int) -> bytes:
    """Postgres writes its children's titles over their environment, but they all work in the data directory."""
    try:
        return os.readlink(f"/proc/{pid}/cwd").encode()
    except OSError:
        return b""


def _words(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
