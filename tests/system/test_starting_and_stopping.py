"""What a user starts and stops, on stacks of a test's own: mostly of the stores alone, which start sooner."""

import os
import signal
import socket
import time

import pytest
import redis

from deploy.local.data.servers import AS_NOBODY, IN_NAMESPACE, namespaces_are_allowed
from tests.processes import allowed, until
from tests.system import library
from tests.system.conftest import SMALL, RunningStack
from tests.system.stacks import START_DEADLINE
from tests.system.test_stack import ask, broker_answers, database_answers, pids

pytestmark = pytest.mark.capability("C160")
NOBODY = 65534


def test_killed_stores_come_back_with_their_data(new_stack):
    stack = new_stack()
    status = stack.start()
    url, broker = status["postgres"]["url"], status["broker"]["url"]
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(broker) as client:
        client.set("kept", "yes")
    for _ in range(2):
        for name in ("postgres", "broker"):
            os.kill(until(lambda name=name: stack.pid_of(name)), signal.SIGKILL)
        until(lambda: database_answers(url) and broker_answers(broker))
    assert ask(url, "SELECT answer FROM kept") == [(42,)]
    with redis.Redis.from_url(broker) as client:
        assert client.get("kept") == b"yes"


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
    one, other = (new_stack(name, is_prepared=False) for name in ("one", "other"))
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
        until(lambda: "Ctrl-C" in process.stdout.readline(), START_DEADLINE)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 0
    assert stack.is_gone()


def test_the_stack_ends_even_when_that_command_is_killed(new_stack):
    stack = new_stack()
    with stack.begin("up") as process:
        until(lambda: "Ctrl-C" in process.stdout.readline(), START_DEADLINE)
        process.kill()
    until(stack.is_gone, allowed(10))


def test_down_leaves_nothing_and_may_be_repeated(new_stack):
    stack = new_stack()
    stack.start()
    started = time.monotonic()
    assert stack.run("down").returncode == 0
    assert time.monotonic() - started < allowed(10)
    assert stack.is_gone()
    assert stack.run("down").returncode == 0
    assert stack.run("status", "--json").returncode == 1


def test_a_user_without_rights_runs_a_whole_stack_whose_bundled_models_read_and_reply(new_stack):
    prefix = () if os.geteuid() else IN_NAMESPACE if namespaces_are_allowed() else AS_NOBODY
    stack = new_stack(is_prepared=False, prefix=prefix, program="deploy.cli.main", environment=SMALL)
    status = stack.start()
    with RunningStack(stack, status).client() as client:
        persona = library.add_persona(client)
        library.upload(client, persona, {"notes.txt": b"The Jacquard loom weaves flowers and leaves."})
        assert library.ingest(client, persona)["overall_status"] == "active"
        conversation = client.post("conversations", {"persona_id": persona.rpartition("/")[2]})["id"]
        body = {"content": "What does the Jacquard loom weave?", "max_tokens": 20}
        reply = client.post(f"conversations/{conversation}/messages?wait=true", body, 200)
    assert reply["content"]
    assert len(reply["extra_data"]["chunk_ids"]) == 1
    assert stack.run("down").returncode == 0
    assert stack.is_gone()


@pytest.mark.skipif(os.geteuid() != 0, reason="others need no such detour")
def test_root_without_user_namespaces_runs_postgres_as_nobody(new_stack):
    stack = new_stack(is_prepared=False)
    cluster = stack.folder / "postgres"
    cluster.mkdir(parents=True)
    os.chown(cluster, NOBODY, NOBODY)
    cluster.chmod(0o700)
    status = stack.start()
    assert database_answers(status["postgres"]["url"])
    assert os.stat(f"/proc/{status['postgres']['pid']}").st_uid == NOBODY
    os.kill(stack.supervisor(), signal.SIGKILL)
    until(stack.is_gone, allowed(10))
