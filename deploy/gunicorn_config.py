"""How gunicorn serves the gateway: a stream occupies a thread, so there are many."""

import math
import signal
from types import FrameType
from typing import Any

from gunicorn import util

from shared.settings import get_settings

_settings = get_settings()

bind = f"{_settings.gateway_host}:{_settings.gateway_port}"
worker_class = "gthread"
workers = _settings.gateway_workers
threads = _settings.gateway_threads
worker_connections = threads + 16  # more than it can answer would wait here, while another worker is free
graceful_timeout = math.ceil(max(_settings.stop_grace_seconds, 3.0))  # a quiet stream hears of it at its next tick
max_requests = 0  # recycling a worker would cut its open streams
control_socket_disable = True  # its default path is one per user, and stacks run side by side


def post_worker_init(worker: Any) -> None:
    """Have open streams end when this worker is told to stop, which gunicorn would cut, and refusals told as JSON."""
    from gateway.http import refusals
    from gateway.streaming.relay import LEAVING

    def leave(number: int, frame: FrameType | None) -> None:
        LEAVING.set()
        worker.handle_exit(number, frame)

    util.write_error = refusals.write_error
    signal.signal(signal.SIGTERM, leave)
    signal.siginterrupt(signal.SIGTERM, False)  # as gunicorn has it: a request's system calls go on
