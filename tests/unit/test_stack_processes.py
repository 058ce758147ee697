"""Which processes belong to whom, when to start them again, and what is told of them."""

import os
from types import SimpleNamespace

import pytest
import typer

from deploy.cli.keys import parse_scopes
from deploy.local import processes
from deploy.local.data import credentials, ports, state
from deploy.local.data.credentials import Credentials
from deploy.local.data.folder import Folder, write_json
from deploy.local.data.servers import remove_stale_pid_file
from deploy.local.processes import Entry, Identity, family
from deploy.local.supervision.child import restart_delay
from deploy.local.supervision.deafness import DeafnessWatch
from deploy.local.supervision.guardian import enlisted


def entry(pid: int, *, parent: int = 1, group: int = 0, session: int = 0) -> Entry:
    return Entry(pid, "S", parent, group or pid, session or pid, started=pid * 10)


def pids(identities: set[Identity]) -> set[int]:
    return {identity.pid for identity in identities}


def test_a_process_name_with_brackets_and_spaces_does_not_shift_the_fields():
    stat = "42 (a) S (b) Z 7 42 41 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0"
    assert processes.parse(stat) == Entry(42, "Z", 7, 42, 41, 12345)


@pytest.mark.parametrize(
    ("member", "belongs"),
    [
        pytest.param(entry(11, session=10), True, id="in the session"),
        pytest.param(entry(11, group=10), True, id="in the group"),
        pytest.param(entry(11, parent=10), True, id="a child with a session of its own"),
        pytest.param(entry(11), False, id="a stranger"),
    ],
)
def test_a_family_is_session_group_and_descendants(member, belongs):
    assert (11 in pids(family([entry(10), member], {10}))) is belongs


def test_a_family_member_is_still_known_after_its_parents_are_gone():
    assert pids(family([entry(12)], {10}, {Identity(12, 120)})) == {12}
    assert not family([entry(12)], {10}, {Identity(12, 99)})


def test_a_zombie_is_not_alive():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert processes.find(child) is None
    os.waitpid(child, 0)


def test_the_guardian_forgets_children_whose_families_have_ended():
    assert enlisted(["+5\n", "+6\n", "-5\n"]) == {6}


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (1000, 30.0)])
def test_restarts_are_put_off_longer_and_longer_up_to_half_a_minute(failures, seconds):
    assert restart_delay(failures) == seconds


def worker(name: str, *, is_ready: bool = True):
    return SimpleNamespace(is_ready=is_ready, process=SimpleNamespace(name=name))


def test_a_deaf_worker_is_restarted_at_most_once_a_minute():
    watch, deaf, hearing = DeafnessWatch(ask=lambda: {"one"}), worker("one"), worker("two")
    found = []
    for now in (0.0, 59.0, 61.0):
        watch.ask_once()
        found.append(watch.deaf([deaf, hearing], now))
    assert found == [[deaf], [], [deaf]]


def test_a_worker_that_is_just_starting_is_not_deaf():
    watch = DeafnessWatch(ask=lambda: {"one"})
    watch.ask_once()
    assert watch.deaf([worker("one", is_ready=False)], 0.0) == []


def stack_state(*children: state.Status) -> state.State:
    urls = {name: f"url of {name}" for name in ("gateway", "postgres", "broker", "flower", "model")}
    return state.State(Identity(os.getpid(), 0), True, urls, {}, children)


def test_status_names_every_part_and_gives_no_pid_that_became_somebody_elses():
    own = processes.identify(os.getpid())
    gone = Identity(os.getpid(), own.started - 1)
    children = (
        state.Status("postgres", own, "ready", 0, ()),
        state.Status("broker", gone, "ready", 0, ()),
        state.Status("worker-threads", own, "ready", 0, ("dialogue",)),
    )
    document = state.document(stack_state(*children), Credentials(flower_password="secret", api_key="key"))
    assert document == {
        "gateway": {"url": "url of gateway", "pid": None},
        "postgres": {"url": "url of postgres", "pid": own.pid},
        "broker": {"url": "url of broker", "pid": None},
        "flower": {"url": "url of flower", "user": "personae", "password": "secret", "pid": None},
        "model": {"url": "url of model", "pid": None},
        "beat": {"pid": None},
        "workers": [{"name": "worker-threads", "pid": own.pid, "queues": ["dialogue"]}],
        "api_key": "key",
    }


def test_a_state_without_its_supervisor_is_stale(tmp_path):
    folder = Folder(tmp_path)
    state.write(folder, stack_state())
    assert state.read(folder) == stack_state()
    assert state.find_running(folder) is None


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path):
    folder = Folder(tmp_path)
    first = credentials.load_or_make(folder)
    assert credentials.load_or_make(folder) == first
    assert folder.secrets.stat().st_mode & 0o777 == 0o600


def test_a_database_without_its_secrets_is_not_given_new_ones(tmp_path):
    folder = Folder(tmp_path)
    folder.postgres.mkdir()
    (folder.postgres / "PG_VERSION").write_text("18")
    with pytest.raises(RuntimeError, match="is missing"):
        credentials.load_or_make(folder)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    write_json(path, {"b": 2})
    assert [child.name for child in tmp_path.iterdir()] == ["state.json"]


def test_a_second_holder_of_the_lock_is_told(tmp_path):
    folder = Folder(tmp_path)
    with folder.take_lock() as first:
        assert first is not None
        assert folder.take_lock() is None
    with folder.take_lock() as again:
        assert again is not None


@pytest.mark.parametrize("content", [f"{os.getpid()}\n/data\n", "", "999999999\n"], ids=["reused", "torn", "gone"])
def test_a_killed_servers_pid_file_does_not_block_the_next(tmp_path, content):
    path = tmp_path / "postmaster.pid"
    path.write_text(content)
    remove_stale_pid_file(tmp_path)
    assert not path.exists()


def test_a_chosen_port_is_none_that_an_outgoing_connection_may_take():
    lowest = int(ports.OUTGOING.read_text().split()[0])
    assert ports.LOWEST <= ports.free_port() < lowest


def test_scopes_are_read_from_a_list():
    assert parse_scopes("read, admin") == ("read", "admin")


@pytest.mark.parametrize("value", ["", "read,everything"])
def test_an_unknown_scope_is_refused(value):
    with pytest.raises(typer.BadParameter):
        parse_scopes(value)


def test_what_killed_processes_left_is_cleared_and_nothing_else(tmp_path):
    folder = Folder(tmp_path)
    (folder.temporary / "pymp-abc").mkdir(parents=True)
    folder.secrets.touch()
    folder.clear_temporary()
    assert list(folder.temporary.iterdir()) == []
    assert folder.secrets.exists()


def test_what_cannot_be_cleared_does_not_keep_the_stack_from_starting(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    folder.temporary.mkdir()
    monkeypatch.setattr("os.rmdir", refused)
    folder.clear_temporary()
    assert folder.temporary.is_dir()


def refused(*_, **__):
    raise PermissionError("busy")
