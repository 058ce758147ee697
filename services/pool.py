"""Celery's thread pool, waking the event loop when a slot frees.

Without it `worker_disable_prefetch` leaves a freed slot idle for up to a second. Chosen by
`-P custom` with CELERY_CUSTOM_WORKER_POOL=services.pool:WakingThreads.
"""

import os
from typing import Any

from celery import signals
from celery.concurrency.thread import TaskPool

_read_end, _write_end = os.pipe()
os.set_blocking(_read_end, False)
os.set_blocking(_write_end, False)


class WakingThreads(TaskPool):  # type: ignore[misc]
    """Threads whose every finished task wakes the consumer."""

    def on_apply(self, *args: Any, **options: Any) -> Any:
        """Start a task, and have its end written to the pipe."""
        result = super().on_apply(*args, **options)
        result.f.add_done_callback(_wake)
        return result


def _wake(_: Any) -> None:
    try:
        os.write(_write_end, b".")
    except BlockingIOError:
        return  # the pipe is full: the loop has enough to wake it


def _drain() -> None:
    try:
        os.read(_read_end, 4096)
    except BlockingIOError:
        return


@signals.worker_ready.connect
def _listen(sender: Any, **_: Any) -> None:
    hub = getattr(sender, "hub", None) or sender.controller.hub
    if hub is not None:
        hub.add_reader(_read_end, _drain)
