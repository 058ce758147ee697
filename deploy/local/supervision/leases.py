"""What a dead worker held: its rows need not wait for their leases to run out, because its end was seen."""

import importlib
import socket
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from deploy.local.stack.plan import Process
from shared.background import begin
from shared.db import get_session


def end_leases(process: Process, pid: int) -> None:
    """End the leases of a worker whose every process is dead; in a thread, because the database may be down.

    Where it fails they run out by themselves.
    """
    if process.queues:
        worker = f"{process.name}@{socket.gethostname()}:{pid}:"
        begin(f"ending the leases of {process.name}", lambda: _end_leases(worker))


def _end_leases(worker: str) -> None:
    work: Any = importlib.import_module("shared.queries.work.engine")
    with suppress(SQLAlchemyError, OSError), get_session() as session:
        for model in work.models():
            work.end_leases(session, model, worker)
