"""Does this container do its work? `python -m deploy.health worker dialogue`; ends with 0 when it does.

Each question imports only what it needs: containers ask it every few seconds for as long as they live.
"""

import base64
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PATIENCE = 4.0  # seconds for an answer over HTTP
LATE = 3  # missed sweeps
MAIN = "PERSONAE_MAIN_PID"  # the process that passes signals on to the container's own; the image sets it


class Unwell(Exception):
    """What is wrong with this container."""


def check_gateway() -> None:
    """Raise Unwell unless it answers, and finds its database and broker."""
    _expect(200, _port("PERSONAE_GATEWAY_PORT", 8000), "/ready")


def check_model() -> None:
    """Raise Unwell until every model is loaded."""
    _expect(200, 8020, "/health")


def check_flower() -> None:
    """Raise Unwell unless the login opens it, and nothing else does."""
    login = base64.b64encode(os.environ["FLOWER_BASIC_AUTH"].encode()).decode()
    port = _port("PERSONAE_FLOWER_PORT", 5555)
    _expect(401, port, "/")
    _expect(200, port, "/", f"Authorization: Basic {login}")


def _port(variable: str, default: int) -> int:
    return int(os.environ.get(variable) or default)


def _expect(status: int, port: int, path: str, *headers: str) -> None:
    """Ask by hand: an HTTP library costs more than the answer."""
    request = "\r\n".join([f"GET {path} HTTP/1.0", "Host: 127.0.0.1", *headers, "", ""])
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(request.encode())
            words = connection.makefile("rb").readline(1000).split()
    except OSError as error:
        raise Unwell(f"port {port}, {path}: {error}") from error
    if words[1:2] != [str(status).encode()]:
        raise Unwell(f"port {port}, {path}: {b' '.join(words[1:]).decode() or 'no answer'}, not {status}")


def check_beat() -> None:
    """Raise Unwell unless the broker took a sweep's bell lately."""
    age = age_of(Path(os.environ.get("PERSONAE_DATA_DIR") or ".personae") / "beat-mark")
    if age > LATE * float(os.environ.get("PERSONAE_SWEEP_SECONDS") or 5):
        raise Unwell(f"no bell for {age:.0f} s")


def age_of(mark: Path) -> float:
    """Return how many seconds ago a file was touched; infinitely many where there is none."""
    try:
        return time.time() - mark.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def check_worker(*queues: str) -> None:
    """Raise Unwell unless this host's worker takes its queues' work; the container of a deaf or stuck one is ended."""
    import psycopg2

    from deploy.consumption import Condition, condition_of

    name = f"worker-{'-'.join(queues)}@{socket.gethostname()}:"
    try:
        condition = condition_of(database_url(), queues, name)
    except psycopg2.Error as error:
        raise Unwell(f"no answer from the database: {type(error).__name__}") from error
    if condition in (Condition.DEAF, Condition.STUCK) and MAIN in os.environ:
        os.kill(int(os.environ[MAIN]), signal.SIGTERM)  # Docker restarts what has ended, not what is unhealthy
    if condition is not Condition.WELL:
        raise Unwell(f"{name} {condition}")


def database_url() -> str:
    """Return where the database is; other names for it than the containers' take longer to understand."""
    url = os.environ.get("PERSONAE_DATABASE_URL")
    if not url:
        from shared.settings import get_settings

        url = get_settings().require_database_url()
    return f"postgresql://{url.partition('://')[2]}"


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
