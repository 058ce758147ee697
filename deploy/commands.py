"""The commands of the processes that run our code, the same on the embedded stack and in a container."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from shared.settings import Settings
from shared.tasks import QUEUES, Pool

DEPLOY = Path(__file__).parent
WAKING_POOL = {"CELERY_CUSTOM_WORKER_POOL": "services.pool:WakingThreads"}


class Command(NamedTuple):
    """Words to run, and the variables that they need besides the settings'."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = {}


def pool_of(queues: Sequence[str]) -> Pool:
    """Return the pool that a worker of these queues needs; raises ValueError for unknown or unlike ones."""
    catalogue = {queue.name: queue for queue in QUEUES}
    unknown = [name for name in queues if name not in catalogue]
    if unknown or not queues:
        raise ValueError(f"queues are {', '.join(catalogue)}; got {', '.join(unknown) or 'none'}")
    pools = {catalogue[name].pool for name in queues}
    if len(pools) > 1:
        raise ValueError(f"{', '.join(queues)} need different pools: run a worker for each")
    return pools.pop()


def slots_of(settings: Settings, pool: Pool) -> int:
    """Return how many rows a worker with this pool works on at once."""
    return {"threads": settings.worker_threads, "prefork": settings.worker_processes, "solo": 1}[pool]


def name_of_worker(queues: Sequence[str]) -> str:
    """Return the name of a worker that is called after its queues."""
    return f"worker-{'-'.join(queues)}"


def worker(settings: Settings, queues: Sequence[str], name: str) -> Command:
    """Return the command of a worker; its Celery node is `name` at this host."""
    pool = pool_of(queues)
    words = _celery(
        "worker", "-Q", ",".join(queues), "-P", "custom" if pool == "threads" else pool,
        "-c", str(slots_of(settings, pool)), "-n", f"{name}@%h", "--without-gossip", "--without-mingle",
        "--loglevel", settings.log_level,
    )  # fmt: skip
    return Command(words, WAKING_POOL)


def beat(settings: Settings, schedule: Path) -> Command:
    """Return the command of the beat, which can do without the file of its schedule."""
    remote = ("--enable-remote-control", "-n", "beat@%h")
    return Command(_celery("beat", "-s", str(schedule), *remote, "--loglevel", settings.log_level))


def gateway() -> Command:
    """Return the command of the gateway."""
    return Command(_python("gunicorn", "-c", str(DEPLOY / "gunicorn_config.py"), "gateway.wsgi:app"))


def flower(host: str, port: int) -> Command:
    """Return the command of Flower, which finds its login in FLOWER_BASIC_AUTH."""
    configuration = f"--conf={DEPLOY / 'flower_config.py'}"
    return Command(_celery("flower", configuration, f"--address={host}", f"--port={port}"))


def model(host: str, port: int) -> Command:
    """Return the command of the model server."""
    return Command(_python("deploy.model.server", "--host", host, "--port", str(port)))


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _celery(*arguments: str) -> tuple[str, ...]:
    return _python("celery", "-A", "services.worker", *arguments)
