"""Stacks started as a user starts them, and a look at what they leave in the process table."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.processes import table

ROOT = Path(__file__).parents[2]
START_DEADLINE = 240.0


def eventually(condition: Callable[[], Any], seconds: float) -> Any:
    """Return the condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not so within {seconds} s: {condition}"
        time.sleep(0.05)
    return value


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
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def supervisor(self) -> int:
        """Return the supervisor's pid."""
        pid: int = json.loads((self.folder / "state.json").read_text())["supervisor"][0]
        return pid

    def processes(self) -> dict[int, str]:
        """Return every living process of this stack with its command line, whoever its parent is now."""
        return {entry.pid: _words(entry.pid) for entry in table() if self._owns(entry.pid)}

    def _owns(self, pid: int) -> bool:
        marks = (_read(pid, "environ"), _read(pid, "cmdline"), _working_directory(pid))
        return pid != os.getpid() and any(str(self.folder).encode() in mark for mark in marks)

    def is_gone(self) -> bool:
        """Say whether none of its processes is left."""
        return not self.processes()


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
