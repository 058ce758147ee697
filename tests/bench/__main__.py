"""`make bench`: each figure beside a floor or a peer that was measured in the same run."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import processes
from tests.bench import ingestion, life_of_work, scripts, turns
from tests.conftest import url_of
from tests.processes import migrate


def main() -> None:
    """Measure, and print the table."""
    table = Table("what", "measured", title="make bench")
    with (
        tempfile.TemporaryDirectory() as folder,
        processes.postgres(Path(folder) / "postgres") as (_, port),
        processes.broker(Path(folder) / "broker") as (_, redis_url),
    ):
        os.environ["PERSONAE_DATABASE_URL"] = url_of(port, "postgres")
        os.environ["PERSONAE_REDIS_URL"] = redis_url
        migrate()
        # In a process of its own: the thread that renews leases ends with it, not with the servers.
        command = [sys.executable, "-m", life_of_work.__name__]
        for line in json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout):
            table.add_row(*line)
    for name in ("PERSONAE_DATABASE_URL", "PERSONAE_REDIS_URL"):
        del os.environ[name]
    for line in (*scripts.measure(), *turns.measure(), *ingestion.measure()):
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
