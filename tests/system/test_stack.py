"""`personae up | down | status | db upgrade`, as a user meets them."""

import json
import re
from pathlib import Path

import psycopg2
import pytest
import redis

from deploy.local.control import Supervised
from deploy.local.data.folder import Folder
from deploy.local.processes import find
from tests.system import stacks

pytestmark = pytest.mark.capability("C160")


def ask(url: str, statement: str, database: str = "postgres") -> list[tuple]:
    """Run a statement in a database that every server has; ours is made by the whole stack only."""
    return stacks.ask(url, statement, database=database)


def database_answers(url: str, database: str = "postgres") -> bool:
    try:
        return ask(url, "SELECT 1", database) == [(1,)]
    except psycopg2.OperationalError:
        return False


def broker_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return client.ping()
    except redis.RedisError:
        return False


def pids(status: dict) -> list[int]:
    parts = [*(value for value in status.values() if isinstance(value, dict)), *status["workers"]]
    return [part["pid"] for part in parts if part.get("pid")]


def test_a_started_stack_answers_where_its_status_says(stack):
    status = json.loads(stack.commands.run("status", "--json").stdout)
    assert list(status) == ["gateway", "postgres", "broker", "flower", "model", "beat", "workers", "api_key"]
    assert database_answers(status["postgres"]["url"], "personae")
    assert broker_answers(status["broker"]["url"])
    assert all(find(pid) for pid in pids(status))


def test_status_in_words_shows_no_password(stack):
    shown = stack.commands.run("status").stdout
    password = re.search(r":([^:@]+)@", stack.status["postgres"]["url"]).group(1)
    assert "postgres" in shown
    assert "Queues:" in shown or "being worked on" in shown
    assert password not in shown


def test_only_its_owner_can_read_the_data_directory(stack):
    folder = stack.commands.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    theirs = {"postgres", "tmp"}  # what Postgres and the libraries write there is behind the folder's own mode
    files = [path for path in folder.rglob("*") if path.is_file() and theirs.isdisjoint(path.relative_to(folder).parts)]
    assert [path for path in files if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("words", [("up",), ("up", "--detach")], ids=" ".join)
def test_starting_what_runs_already_says_where_and_is_no_error(stack, words):
    before = stack.commands.supervisor()
    done = stack.commands.run(*words)
    assert (done.returncode, done.stdout) == (0, f"Already running: {stack.status['gateway']['url']}\n")
    assert stack.commands.supervisor() == before


def test_processes_keep_their_temporary_files_in_the_data_directory(stack):
    worker = Path(f"/proc/{stack.commands.pid_of('worker-prefork')}/environ").read_bytes().split(b"\0")
    assert f"TMPDIR={stack.commands.folder / 'tmp'}".encode() in worker


def test_a_second_supervisor_on_the_same_directory_is_refused(stack):
    supervised = Supervised(Folder(stack.commands.folder), attached=True)
    (failure,) = supervised.events()
    assert (failure["event"], "already runs on" in failure["name"]) == ("failed", True)
    assert supervised.wait() == 1


def test_the_schema_is_upgraded_on_the_running_stack(stack):
    done = stack.commands.run("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout


def test_an_operators_database_is_used_and_none_started(new_stack, stack):
    ask(stack.status["postgres"]["url"], "CREATE DATABASE elsewhere")
    url = stack.status["postgres"]["url"].replace("/personae", "/elsewhere").replace("//elsewhere", "//personae")
    other = new_stack(environment={"PERSONAE_DATABASE_URL": url})
    status = other.start()
    assert status["postgres"] == {"url": url, "pid": None}
    assert status["broker"]["pid"]
