"""The supervisor: `python -m deploy.local.supervision.run REPORT_FD [PARENT]`. Settings say which data directory."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO

from deploy.local.data import addresses, credentials, state
from deploy.local.data.addresses import Addresses
from deploy.local.data.credentials import Credentials
from deploy.local.data.folder import Folder, read_json, write_json
from deploy.local.data.ports import Ports
from deploy.local.processes import dies_with_parent, identify, is_alive
from deploy.local.stack import plan
from deploy.local.stack.plan import Process
from deploy.local.supervision.child import Child
from deploy.local.supervision.deafness import watch_for_deafness
from deploy.local.supervision.guard import Guard
from deploy.local.supervision.guardian import GRACE, end
from deploy.local.supervision.leases import end_leases
from deploy.local.supervision.report import Report
from deploy.local.supervision.supervisor import Supervisor
from shared.settings import Settings, get_settings

MakePlan = Callable[[Settings, Folder, Credentials, Addresses], list[Process]]
MARGIN = 0.8  # seconds beyond a worker's own grace, in which it hands its rows back
LEFTOVER_GRACE = 3.0


class Refused(Exception):
    """This data directory cannot be served now; the message says why."""


def own(folder: Folder) -> IO[bytes]:
    """Return the data directory's lock, waiting for a killed stack's guardian; raises Refused when a stack runs."""
    deadline = time.monotonic() + 2 * GRACE
    while (lock := folder.take_lock()) is None:
        running = state.find_running(folder)
        if running is not None:
            raise Refused(f"a stack already runs on {folder.root} (supervisor pid {running.supervisor.pid})")
        if time.monotonic() > deadline:
            raise Refused(f"another process holds {folder.lock}, and no stack runs there")
        time.sleep(0.1)
    return lock


def end_leftovers(folder: Folder) -> None:
    """End the children of a stack whose supervisor and guardian were both killed."""
    stale = state.read(folder)
    if stale is None:
        return
    alive = {child.identity.pid for child in stale.children if child.identity and is_alive(child.identity)}
    end(alive, LEFTOVER_GRACE)
    folder.state.unlink()


def choose_ports(settings: Settings, folder: Folder) -> Ports:
    """Return this stack's ports, the same as last time where they are free."""
    remembered = read_json(folder.ports) or {}
    has_model = plan.exists("deploy.model.server")
    ports = Ports(addresses.wanted_ports(settings, remembered, has_model=has_model))
    write_json(folder.ports, {**remembered, **ports.chosen})
    return ports


def status_of(child: Child) -> state.Status:
    """Return what others may know about a child."""
    condition = "ready" if child.is_ready else "starting" if child.is_running else "waiting to restart"
    return state.Status(child.process.name, child.identity, condition, child.restarts, child.process.queues)


def serve(settings: Settings, folder: Folder, report: Report, lock: IO[bytes], make_plan: MakePlan) -> int:
    """Run a stack on a data directory that is ours until somebody stops it, and return the exit code."""
    end_leftovers(folder)
    secrets = credentials.load_or_make(folder)
    ports = choose_ports(settings, folder)
    where = addresses.resolve(settings, secrets, ports.chosen)
    environment = addresses.environment(settings, secrets, where)
    processes = make_plan(settings, folder, secrets, where)
    folder.clear_temporary()
    os.environ.update(environment, TMPDIR=str(folder.temporary))
    get_settings.cache_clear()
    supervisor = Supervisor(
        folder,
        processes,
        report,
        Guard(lock),
        grace=settings.stop_grace_seconds + MARGIN,
        changed=_Writer(folder, where, environment),
        buried=end_leases,
        deafness=watch_for_deafness(processes),
    )
    try:
        return supervisor.run()
    finally:
        folder.state.unlink(missing_ok=True)


class _Writer:
    """Keeps the state file true."""

    def __init__(self, folder: Folder, where: Addresses, environment: dict[str, str]) -> None:
        supervisor = identify(os.getpid())
        assert supervisor is not None
        self._state = state.State(supervisor, False, state.addresses_of(where), environment, ())
        self._folder = folder

    def __call__(self, children: Sequence[Child], is_up: bool) -> None:
        statuses = tuple(status_of(child) for child in children if not child.process.once)
        state.write(self._folder, replace(self._state, is_up=is_up, children=statuses))


def main(descriptor: int, parent: int | None = None, *, make_plan: MakePlan = plan.plan) -> int:
    """Serve the settings' data directory until it is told to stop, or until the parent ends where one is given."""
    os.umask(0o077)
    if parent is not None:
        dies_with_parent(signal.SIGTERM)()
        if os.getppid() != parent:
            return 1
    report = Report(descriptor)
    settings = get_settings()
    folder = Folder(settings.data_dir)
    try:
        folder.make()
        with own(folder) as lock:
            return serve(settings, folder, report, lock, make_plan)
    except (Refused, RuntimeError, OSError) as error:
        report("failed", str(error))
        return 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.exit(main(*map(int, sys.argv[1:])))
