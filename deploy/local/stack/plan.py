"""What runs: a process is a value, and a stack is a list of them, made from the settings."""

import importlib.util
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from pathlib import Path

from deploy import commands
from deploy.local.data import servers
from deploy.local.data.addresses import Addresses
from deploy.local.data.credentials import FLOWER_USER, Credentials
from deploy.local.data.folder import Folder
from deploy.local.stack import probes
from shared.settings import Settings
from shared.tasks import EMBEDDING, QUEUES, Pool

WORKERS: Mapping[Pool, str] = {"threads": "worker-threads", "prefork": "worker-prefork", "solo": "worker-upkeep"}


class Stage(IntEnum):
    """When a process starts: those of a stage together, each stage once the one before is ready."""

    STORE = 1
    PREPARATION = 2
    WORKER = 3
    EDGE = 4


@dataclass(frozen=True)
class Process:
    """A child: its command, what makes it ready, and how it is stopped; one to run `once` is ready by ending with 0."""

    name: str
    stage: Stage
    command: Sequence[str]
    is_ready: probes.Probe = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)
    deadline: float = 60.0
    once: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    before: Callable[[], object] = lambda: None
    queues: tuple[str, ...] = ()
    slots: int = 0  # rows of those queues that it can work on at once
    disposable: tuple[Path, ...] = ()  # files, with any suffix, that it can do without when it cannot start with them


def exists(module: str) -> bool:
    """Say whether a module is there, without running it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def plan(settings: Settings, folder: Folder, credentials: Credentials, addresses: Addresses) -> list[Process]:
    """Return the processes of a stack by stage: what the settings do not name, as far as it is installed."""
    processes = [_prepare(embedded="postgres" in addresses.ports)]
    if "postgres" in addresses.ports:
        processes.append(_postgres(folder, addresses, credentials))
    if "broker" in addresses.ports:
        processes.append(_broker(folder, addresses, credentials))
    if "model" in addresses.ports:
        processes.append(_model(addresses))
    if exists("services.worker"):
        processes += [*_workers(settings, addresses), _beat(settings, folder, addresses)]
        processes.append(_flower(folder, addresses, credentials))
    if exists("gateway.wsgi"):
        processes.append(_gateway(addresses))
    return sorted(processes, key=lambda process: process.stage)


def _postgres(folder: Folder, addresses: Addresses, credentials: Credentials) -> Process:
    data = folder.postgres

    def before() -> None:
        servers.initialise_postgres(data, credentials.postgres_password)
        servers.remove_stale_pid_file(data)

    options = ("max_connections=200", "shared_buffers=128MB")
    return Process(
        "postgres",
        Stage.STORE,
        servers.postgres_command(data, addresses.ports["postgres"], *options),
        probes.postgres(addresses.administration),
        stop_signal=signal.SIGINT,
        before=before,
    )


def _broker(folder: Folder, addresses: Addresses, credentials: Credentials) -> Process:
    configuration = folder.broker / "valkey.conf"
    write = partial(
        servers.write_valkey_configuration, folder.broker, addresses.ports["broker"], credentials.broker_password
    )
    return Process(
        "broker",
        Stage.STORE,
        [str(servers.valkey_server()), str(configuration)],
        probes.broker(addresses.broker),
        before=write,
    )


def _prepare(*, embedded: bool) -> Process:
    command = [sys.executable, "-m", "deploy.local.stack.prepare", *(["--create"] if embedded else [])]
    return Process("prepare", Stage.PREPARATION, command, once=True, deadline=600)


def _model(addresses: Addresses) -> Process:
    port = addresses.ports["model"]
    command = commands.model("127.0.0.1", port).words
    return Process("model", Stage.WORKER, command, probes.http(f"http://127.0.0.1:{port}/health"), deadline=120)


def _workers(settings: Settings, addresses: Addresses) -> list[Process]:
    queues: dict[tuple[Pool, str], list[str]] = {}
    for queue in QUEUES:
        # Embedding waits long for its one server: beside dialogue it would take every thread.
        name = "worker-embedding" if queue is EMBEDDING else WORKERS[queue.pool]
        queues.setdefault((queue.pool, name), []).append(queue.name)
    return [_worker(settings, addresses, pool, name, names) for (pool, name), names in queues.items()]


def _worker(settings: Settings, addresses: Addresses, pool: Pool, name: str, queues: Sequence[str]) -> Process:
    command = commands.worker(settings, queues, name)
    return Process(
        name,
        Stage.WORKER,
        command.words,
        probes.celery_node(addresses.broker, name),
        environment=command.environment,
        queues=tuple(queues),
        slots=commands.slots_of(settings, pool),
    )


def _beat(settings: Settings, folder: Folder, addresses: Addresses) -> Process:
    schedule = folder.root / "beat-schedule"
    return Process(
        "beat",
        Stage.WORKER,
        commands.beat(settings, schedule).words,
        probes.celery_node(addresses.broker, "beat"),
        disposable=(schedule,),
    )


def _gateway(addresses: Addresses) -> Process:
    return Process("gateway", Stage.EDGE, commands.gateway().words, probes.http(f"{addresses.gateway}/health"))


def _flower(folder: Folder, addresses: Addresses, credentials: Credentials) -> Process:
    return Process(
        "flower",
        Stage.EDGE,
        commands.flower("127.0.0.1", addresses.ports["flower"]).words,
        probes.http(f"{addresses.flower}/healthcheck"),
        environment={"FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{credentials.flower_password}"},
        disposable=(folder.root / "flower.db",),
    )
