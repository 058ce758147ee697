"""Gateways beside the stack's own, on its database and broker."""

import subprocess
import sys
from pathlib import Path

import httpx

from deploy import commands
from deploy.local.data import ports
from tests.processes import DEADLINE, until
from tests.system.client import Client
from tests.system.conftest import RunningStack

OVERRIDES = {"PERSONAE_GATEWAY_WORKERS": "1", "PERSONAE_STOP_GRACE_SECONDS": "5"}


class Gateway:
    """A gunicorn on a fixed port, which a test may stop and start again."""

    def __init__(self, stack: RunningStack, log: Path, **settings: str) -> None:
        self._stack = stack
        self._log = log
        self._settings = OVERRIDES | settings
        self._port = ports.free_port()
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, and return once it answers."""
        commands_ = self._stack.commands
        environment = commands_.variables | commands_.state()["environment"]
        with self._log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, *commands.gateway().words[1:]],
                env=environment | self._settings | {"PERSONAE_GATEWAY_PORT": str(self._port)},
                cwd=commands_.folder, stdout=file, stderr=file,
            )  # fmt: skip
        with self.client() as client:
            until(lambda: is_healthy(client))
        return self.process

    def client(self) -> Client:
        """Return the administrator at this gateway."""
        return self._stack.client(f"http://127.0.0.1:{self._port}")

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text(errors="replace")

    def stop(self) -> int:
        """End it in good order, and return its exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE)


def is_healthy(client: Client) -> bool:
    """Say whether a gateway answers."""
    try:
        return client.ask("GET", "/health").is_success
    except httpx.TransportError:
        return False
