"""The data directory: what lies where, who may read it, and which one supervisor owns it."""

import fcntl
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from deploy.local.data.servers import write_secret

LONGEST_LOG = 10 << 20


class Folder:
    """A data directory, readable by its owner only."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.logs = self.root / "logs"
        self.state = self.root / "state.json"
        self.secrets = self.root / "secrets.json"
        self.ports = self.root / "ports.json"
        self.postgres = self.root / "postgres"
        self.broker = self.root / "broker"
        self.temporary = self.root / "tmp"
        self.lock = self.root / "lock"

    def make(self) -> None:
        """Create what is missing; raises OSError when the place cannot be written."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for child in (self.logs, self.broker):
            child.mkdir(mode=0o700, exist_ok=True)

    def clear_temporary(self) -> None:
        """Remove what processes that were killed have left of their temporary files."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(mode=0o700, exist_ok=True)  # it is left where something in it cannot be removed

    def log(self, name: str) -> Path:
        """Return the log file of one child."""
        return self.logs / f"{name}.log"

    def open_log(self, name: str) -> IO[bytes]:
        """Open a child's log to append to, putting a long one aside."""
        path = self.log(name)
        if path.exists() and path.stat().st_size > LONGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def log_tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a child's log."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-lines:])
        return ""

    def take_lock(self) -> IO[bytes] | None:
        """Return the lock's open file, or None when somebody else holds it."""
        file = self.lock.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file


def write_json(path: Path, value: Any) -> None:
    """Replace a file in one step, readable by its owner only."""
    draft = write_secret(path.with_name(f".{path.name}.{os.getpid()}"), json.dumps(value, indent=2) + "\n")
    draft.replace(path)


def read_json(path: Path) -> Any:
    """Return a file's value, or None when there is no such file."""
    with suppress(FileNotFoundError):
        return json.loads(path.read_text())
    return None
