"""The connections that all processes may open at once add up to fewer than Postgres takes."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy import commands
from deploy.local.data import addresses
from deploy.local.data.credentials import Credentials
from deploy.local.data.folder import Folder
from deploy.local.stack.plan import plan
from shared.settings import Settings
from shared.tasks import QUEUES, Pool
from tests.architecture.sources import ROOT
from tests.architecture.test_deployment import SERVICES, queue_names

RESERVED = 3  # superuser_reserved_connections
BESIDES = 8  # somebody's psql, a backup, a command line
SETTINGS = Settings(_env_file=None)
POOL = SETTINGS.db_pool_size + SETTINGS.db_max_overflow
OWN = 1  # on which leases are renewed, or /ready asks
POOLS: Mapping[str, Pool] = {queue.name: queue.pool for queue in QUEUES}
README = (ROOT / "README.md").read_text()
SCALES = re.findall(r"--scale ([\w-]+)=(\d+)", README)


def of_worker(pool: Pool) -> int:
    """A pool of processes has its main process too, which hands back what they hold."""
    processes = commands.slots_of(SETTINGS, pool) + 1 if pool == "prefork" else 1
    return processes * (POOL + OWN)


def of_service(name: str) -> int:
    """What a container may open; its health check, one."""
    if queues := queue_names(SERVICES[name]):
        return of_worker(POOLS[queues[0]]) + 1
    return {"gateway": SETTINGS.gateway_workers * (POOL + OWN), "migrate": 1}.get(name, 0)


def taken(words: str) -> int:
    """What Postgres takes, by its command."""
    (number,) = re.findall(r"max_connections=(\d+)", words)
    return int(number) - RESERVED - BESIDES


def test_every_service_that_knows_the_database_is_counted() -> None:
    knowing = {name for name, service in SERVICES.items() if "PERSONAE_DATABASE_URL" in service.get("environment", ())}
    assert {name for name in SERVICES if of_service(name)} == knowing


@pytest.mark.parametrize("scaled", [{}, *({name: int(count)} for name, count in SCALES), dict(SCALES)], ids=str)
def test_all_containers_may_open_no_more_than_there_are_however_the_readme_scales_them(scaled: dict[str, int]) -> None:
    assert scaled.keys() <= SERVICES.keys()
    opened = sum(of_service(name) * int(scaled.get(name, 1)) for name in SERVICES)
    assert opened <= taken(" ".join(SERVICES["postgres"]["command"]))


def test_the_readme_names_as_many_as_there_are() -> None:
    ((there, opened),) = re.findall(r"of Postgres' (\d+); all services together may open (\d+)", README)
    assert f"-cmax_connections={there}" in SERVICES["postgres"]["command"]
    assert int(opened) == sum(map(of_service, SERVICES))


def test_the_embedded_stack_may_open_no_more_than_there_are(tmp_path: Path) -> None:
    given = Settings(_env_file=None, data_dir=tmp_path)
    ports = dict.fromkeys(addresses.wanted_ports(given, {}, has_model=True), 1)
    where = addresses.resolve(given, Credentials(), ports)
    processes = {process.name: process for process in plan(given, Folder(tmp_path), Credentials(), where)}
    workers = sum(of_worker(POOLS[process.queues[0]]) for process in processes.values() if process.queues)
    opened = workers + POOL + of_service("gateway") + of_service("migrate")  # the supervisor is one more process
    assert opened <= taken(" ".join(processes["postgres"].command))
