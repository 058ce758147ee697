"""How gunicorn serves the gateway: a stream occupies a thread, so there are many."""

import math

from shared.settings import get_settings

_settings = get_settings()

bind = f"{_settings.gateway_host}:{_settings.gateway_port}"
worker_class = "gthread"
workers = _settings.gateway_workers
threads = _settings.gateway_threads
graceful_timeout = math.ceil(_settings.stop_grace_seconds)
max_requests = 0  # recycling a worker would cut its open streams
control_socket_disable = True  # its default path is one per user, and stacks run side by side
