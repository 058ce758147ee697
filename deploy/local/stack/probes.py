"""Is it ready? One short question per kind of child; an answer that does not come is a no."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import psycopg2
import redis
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.pidbox import Mailbox

from deploy.local.data.addresses import driverless

Probe = Callable[[], bool]
PATIENCE = 1.0


def postgres(url: str) -> Probe:
    """Ask for a session with our own password, which no other stack's server would accept."""

    def is_ready() -> bool:
        try:
            psycopg2.connect(driverless(url), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    return is_ready


def broker(url: str) -> Probe:
    """Ping with our own password."""

    def is_ready() -> bool:
        try:
            with redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    return is_ready


def http(url: str) -> Probe:
    """Expect an answer that is no server error."""

    def is_ready() -> bool:
        try:
            return not httpx.get(url, timeout=PATIENCE, trust_env=False).is_server_error
        except httpx.HTTPError:
            return False

    return is_ready


def celery_node(url: str, name: str) -> Probe:
    """Ask a worker or beat for its remote-control pong, as `celery inspect ping` does, without loading the tasks."""
    mailbox: Any = Mailbox("celery", type="fanout", accept=["json"])
    node = f"{name}@{socket.gethostname()}"
    options = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "max_retries": 0}

    def is_ready() -> bool:
        try:
            with Connection(url, transport_options=options) as connection:
                return bool(mailbox(connection).call([node], "ping", timeout=PATIENCE))
        except (OperationalError, redis.RedisError, OSError):
            return False

    return is_ready
