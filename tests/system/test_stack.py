"""`personae up | down | status | db upgrade`, as a user meets them."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import psycopg2
import pytest
import redis

from deploy.local.control import Supervised
from deploy.local.folder import Folder
from deploy.local.processes import find
from deploy.local.servers import IN_NAMESPACE
from tests.processes import until
from tests.system import library, stacks
from tests.system.conftest import SMALL, RunningStack
from tests.system.stacks import Stack

pytestmark = pytest.mark.capability("C160")
NOBODY = 65534


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
    status = stack.commands.status()
    assert list(status) == ["gateway", "postgres", "broker", "flower", "model", "beat", "workers", "api_key"]
    assert database_answers(status["postgres"]["url"], "personae")
    assert broker_answers(status["broker"]["url"])
    assert all(find(pid) for pid in pids(status))


def test_status_in_words_shows_no_password(stack):
    shown = stack.commands.run("status").stdout
    password = re.search(r":([^:@]+)@", stack.status["postgres"]["url"]).group(1)
    assert "postgres" in shown
    assert password not in shown


def test_only_its_owner_can_read_the_data_directory(stack):
    folder = stack.commands.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.rglob("*") if path.is_file() and "postgres" not in path.parts]
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


def test_killed_stores_come_back_with_their_data(new_stack):
    status = new_stack().start()
    url, broker = status["postgres"]["url"], status["broker"]["url"]
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(broker) as client:
        client.set("kept", "yes")
    for _ in range(2):
        for name in ("postgres", "broker"):
            os.kill(current(new_stack(), name), signal.SIGKILL)
        until(lambda: database_answers(url) and broker_answers(broker), 15)
    assert ask(url, "SELECT answer FROM kept") == [(42,)]
    with redis.Redis.from_url(broker) as client:
        assert client.get("kept") == b"yes"


def current(stack: Stack, name: str) -> int:
    return until(lambda: stack.status()[name]["pid"], 10)


def test_after_a_killed_supervisor_the_next_start_finds_the_same_data_and_ports(new_stack):
    stack = new_stack()
    before = stack.start()
    ask(before["postgres"]["url"], "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(stack.supervisor(), signal.SIGKILL)
    after = stack.start()
    assert after["postgres"]["url"] == before["postgres"]["url"]
    assert ask(after["postgres"]["url"], "SELECT answer FROM kept") == [(42,)]


def test_a_port_that_somebody_took_meanwhile_is_chosen_anew(new_stack):
    stack = new_stack()
    before = stack.start()
    assert stack.run("down").returncode == 0
    port = int(before["postgres"]["url"].rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        after = stack.start()
    assert after["postgres"]["url"] != before["postgres"]["url"]
    assert after["broker"]["url"] == before["broker"]["url"]


def test_two_stacks_run_side_by_side_and_stop_alone(new_stack):
    one, other = new_stack("one"), new_stack("other")
    starting = [each.begin("up", "--detach") for each in (one, other)]
    for process in starting:
        with process:
            _, error = process.communicate()
        assert process.returncode == 0, error
    first, second = one.status(), other.status()
    assert not set(pids(first)) & set(pids(second))
    assert first["gateway"]["url"] != second["gateway"]["url"]
    assert one.run("down").returncode == 0
    assert one.is_gone()
    assert database_answers(second["postgres"]["url"])


def test_the_stack_ends_with_the_command_in_the_foreground(new_stack):
    stack = new_stack()
    with stack.begin("up") as process:
        until(lambda: "Ctrl-C" in process.stdout.readline(), 240)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 0
    assert stack.is_gone()


def test_the_stack_ends_even_when_that_command_is_killed(new_stack):
    stack = new_stack()
    with stack.begin("up") as process:
        until(lambda: "Ctrl-C" in process.stdout.readline(), 240)
        process.kill()
    until(stack.is_gone, 10)


def test_down_leaves_nothing_and_may_be_repeated(new_stack):
    stack = new_stack()
    stack.start()
    started = time.monotonic()
    assert stack.run("down").returncode == 0
    assert time.monotonic() - started < 10
    assert stack.is_gone()
    assert stack.run("down").returncode == 0
    assert stack.run("status", "--json").returncode == 1


def test_a_user_without_rights_runs_a_whole_stack_whose_bundled_models_read_and_reply(new_stack):
    prefix = IN_NAMESPACE if os.geteuid() == 0 else ()
    stack = new_stack(prefix=prefix, program="deploy.cli.main", environment=SMALL)
    status = stack.start()
    with RunningStack(stack, status).client() as client:
        persona = library.add_persona(client)
        library.upload(client, persona, {"notes.txt": b"The Jacquard loom weaves flowers and leaves."})
        assert library.ingest(client, persona, 60)["overall_status"] == "active"
        conversation = client.post("conversations", {"persona_id": persona.rpartition("/")[2]})["id"]
        body = {"content": "What does the Jacquard loom weave?", "max_tokens": 20}
        reply = client.post(f"conversations/{conversation}/messages?wait=true", body, 200)
    assert reply["content"]
    assert len(reply["extra_data"]["chunk_ids"]) == 1
    assert stack.run("down").returncode == 0
    assert stack.is_gone()


@pytest.mark.skipif(os.geteuid() != 0, reason="others need no such detour")
def test_root_without_user_namespaces_runs_postgres_as_nobody(new_stack):
    stack = new_stack()
    cluster = stack.folder / "postgres"
    cluster.mkdir(parents=True)
    os.chown(cluster, NOBODY, NOBODY)
    cluster.chmod(0o700)
    status = stack.start()
    assert database_answers(status["postgres"]["url"])
    assert os.stat(f"/proc/{status['postgres']['pid']}").st_uid == NOBODY
    os.kill(stack.supervisor(), signal.SIGKILL)
    until(stack.is_gone, 10)
