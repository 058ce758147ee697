"""Does this container do its work? `python -m deploy.health worker dialogue`; ends with 0 when it does.

Each question imports only what it needs: containers ask it every few seconds for as long as they live.
"""

import base64
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

PATIENCE = 4.0  # seconds for an answer over HTTP
LATE = 3  # missed sweeps
MAIN = "PERSONAE_MAIN_PID"  # the process that passes signals on to the container's own; the image sets it


class Unwell(Exception):
    """What is wrong with this container."""


def check_gateway() -> None:
    """Raise Unwell unless it answers, and finds its database and broker."""
    _expect(200, f"{_here('PERSONAE_GATEWAY_PORT', 8000)}/ready")


def check_model() -> None:
    """Raise Unwell until every model is loaded."""
    _expect(200, "http://127.0.0.1:8020/health")


def check_flower() -> None:
    """Raise Unwell unless the login opens it, and nothing else does."""
    login = base64.b64encode(os.environ["FLOWER_BASIC_AUTH"].encode()).decode()
    url = f"{_here('PERSONAE_FLOWER_PORT', 5555)}/"
    _expect(401, url)
    _expect(200, url, Authorization=f"Basic {login}")


def _here(variable: str, port: int) -> str:
    return f"http://127.0.0.1:{os.environ.get(variable) or port}"


def _expect(status: int, url: str, **headers: str) -> None:
    # No proxy: the environment may name one, and this is our own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=PATIENCE) as answer:
            found = answer.status
    except urllib.error.HTTPError as error:
        found = error.code
    except OSError as error:
        raise Unwell(f"{url}: {error}") from error
    if found != status:
        raise Unwell(f"{url}: {found}, not {status}")


def check_beat() -> None:
    """Raise Unwell unless the broker took a sweep's bell lately."""
    from shared.settings import get_settings

    settings = get_settings()
    age = age_of(settings.beat_mark)
    if age > LATE * settings.sweep_seconds:
        raise Unwell(f"no bell for {age:.0f} s")


def age_of(mark: Path) -> float:
    """Return how many seconds ago a file was touched; infinitely many where there is none."""
    try:
        return time.time() - mark.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def check_worker(*queues: str) -> None:
    """Raise Unwell unless this host's worker takes the work of its queues; a deaf one's container is ended."""
    from sqlalchemy.exc import SQLAlchemyError

    from deploy.consumption import Condition, condition_of
    from shared.db import get_session

    name = f"worker-{'-'.join(queues)}@{socket.gethostname()}:"
    try:
        with get_session() as session:
            condition = condition_of(session, queues, name)
    except SQLAlchemyError as error:
        raise Unwell(f"no answer from the database: {type(error).__name__}") from error
    if condition is Condition.DEAF and MAIN in os.environ:
        os.kill(int(os.environ[MAIN]), signal.SIGTERM)  # Docker restarts what has ended, not what is unhealthy
    if condition is not Condition.WELL:
        raise Unwell(f"{name} {condition}")


CHECKS: dict[str, Callable[..., None]] = {
    "gateway": check_gateway,
    "model": check_model,
    "flower": check_flower,
    "beat": check_beat,
    "worker": check_worker,
}


def main(words: Sequence[str]) -> int:
    """Ask, and say what is wrong."""
    role, *arguments = words
    try:
        CHECKS[role](*arguments)
    except Unwell as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
