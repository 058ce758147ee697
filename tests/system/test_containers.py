"""What the containers run, run here: each service's own command, asked by its own health check."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.data import ports
from deploy.local.data.addresses import driverless
from tests.processes import until
from tests.system.stacks import ask

pytestmark = pytest.mark.capability("C19")
ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
ONE_OF_EACH_KIND = (
    "gateway",
    "flower",
    "beat",
    "worker-dialogue",
    "worker-ingestion",
    "worker-upkeep",
)  # dear checks last


class Containers:
    """Services of docker-compose.yml as processes, on servers of the test's own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service as the image's entry point does."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli.main", *SERVICES[name]["command"]],
                env=self.environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self.processes[name]

    def is_healthy(self, name: str) -> bool:
        """Ask a service's health check."""
        _, python, *words = SERVICES[name]["healthcheck"]["test"]
        assert python == "python"
        done = subprocess.run([sys.executable, *words], env=self.environment, cwd=self.folder, check=False)
        return done.returncode == 0

    def stop(self) -> None:
        """End what still runs."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)


@pytest.fixture
def containers(tmp_path: Path, empty_database: Any, redis_url: str) -> Iterator[Containers]:
    environment = {
        "PERSONAE_DATA_DIR": str(tmp_path),
        "PERSONAE_DATABASE_URL": empty_database(),
        "PERSONAE_REDIS_URL": redis_url,
        "PERSONAE_GATEWAY_PORT": str(ports.free_port()),
        "PERSONAE_FLOWER_PORT": str(ports.free_port()),
        "PERSONAE_STOP_GRACE_SECONDS": "1",
        "FLOWER_BASIC_AUTH": "personae:a-password",
    }
    made = Containers(tmp_path, environment)
    yield made
    made.stop()


def test_every_kind_of_service_starts_by_its_command_and_is_found_healthy_by_its_check(containers: Containers) -> None:
    assert containers.run("migrate").wait(60) == 0
    before = {name: containers.is_healthy(name) for name in ONE_OF_EACH_KIND}
    for name in ONE_OF_EACH_KIND:
        containers.run(name)
    for name in ONE_OF_EACH_KIND:
        until(lambda name=name: containers.is_healthy(name))
    assert before == dict.fromkeys(ONE_OF_EACH_KIND, False)


def test_migrating_twice_at_once_and_again_leaves_one_default_persona_with_its_modules(containers: Containers) -> None:
    assert [migrating.wait(60) for migrating in (containers.run("migrate"), containers.run("migrate"))] == [0, 0]
    before = seeded(containers)
    assert containers.run("migrate").wait(60) == 0
    assert seeded(containers) == before
    assert [name for _, name, _ in before] == ["Ava", "long_term_memory", "short_term_memory"]


def seeded(containers: Containers) -> list[tuple[Any, ...]]:
    """Return what a database holds after its migration: each row's id, name and time."""
    rows = "SELECT id, name, updated_at FROM personas UNION ALL SELECT id, name, updated_at FROM modules ORDER BY 2"
    return ask(driverless(containers.environment["PERSONAE_DATABASE_URL"]), rows)


def test_a_beat_that_does_not_ring_any_more_is_found_unhealthy(containers: Containers) -> None:
    containers.environment["PERSONAE_SWEEP_SECONDS"] = "1"
    beat = containers.run("beat")
    until(lambda: containers.is_healthy("beat"))
    beat.terminate()
    beat.wait(30)
    until(lambda: not containers.is_healthy("beat"))
