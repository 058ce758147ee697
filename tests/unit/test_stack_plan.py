"""What the embedded stack runs follows from the settings."""

from pathlib import Path

import pytest

from deploy.local.data import addresses
from deploy.local.data.credentials import Credentials
from deploy.local.data.folder import Folder
from deploy.local.stack.plan import Stage, plan
from shared import tasks
from shared.settings import Settings

PORTS = {"gateway": 8000, "flower": 5555, "postgres": 5001, "broker": 5002, "model": 5003}


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)


def processes(folder: Path, **values: object):
    given = settings(data_dir=folder, **values)
    wanted = addresses.wanted_ports(given, {}, has_model=True)
    secrets = Credentials()
    where = addresses.resolve(given, secrets, {name: PORTS[name] for name in wanted})
    return {process.name: process for process in plan(given, Folder(folder), secrets, where)}


@pytest.mark.parametrize(
    ("values", "absent"),
    [
        pytest.param({"database_url": "postgresql://u:p@db.example/x"}, "postgres", id="a database"),
        pytest.param({"redis_url": "redis://redis.example/0"}, "broker", id="a broker"),
        pytest.param({"model_url": "https://models.example/v1"}, "model", id="a model server"),
        pytest.param({"embedding_url": "http://e.example", "chat_url": "http://c.example"}, "model", id="two of them"),
    ],
)
def test_what_the_settings_name_is_not_started(tmp_path, values, absent):
    names = set(processes(tmp_path, **values))
    assert absent not in names
    assert {"postgres", "broker", "model"} - {absent} <= names


def test_the_stores_start_first_and_are_prepared_before_anything_uses_them(tmp_path):
    stages = [process.stage for process in processes(tmp_path).values()]
    assert stages == sorted(stages)
    assert processes(tmp_path)["prepare"].stage is Stage.PREPARATION


def test_every_queue_has_exactly_one_worker(tmp_path):
    queues = [queue for process in processes(tmp_path).values() for queue in process.queues]
    if queues:
        assert sorted(queues) == sorted(queue.name for queue in tasks.QUEUES)


def test_embedding_takes_no_thread_of_dialogue(tmp_path):
    workers = [process.queues for process in processes(tmp_path).values() if "embedding" in process.queues]
    assert workers == [("embedding",)]


def test_no_password_is_on_a_command_line(tmp_path):
    given = settings(data_dir=tmp_path)
    secrets = Credentials()
    where = addresses.resolve(given, secrets, PORTS)
    words = " ".join(word for process in plan(given, Folder(tmp_path), secrets, where) for word in process.command)
    assert secrets.postgres_password not in words
    assert secrets.broker_password not in words
    assert secrets.flower_password not in words


@pytest.mark.parametrize(
    ("values", "remembered", "expected"),
    [
        pytest.param({}, {}, [8000], id="the default at first"),
        pytest.param({}, {"gateway": 9001}, [9001, 8000], id="then what it was"),
        pytest.param({"gateway_port": 7000}, {"gateway": 9001}, [7000, 9001], id="what the operator says, first"),
    ],
)
def test_the_gateway_port_is_what_was_decided_or_remembered(values, remembered, expected):
    assert addresses.wanted_ports(settings(**values), remembered, has_model=False)["gateway"] == expected


def test_children_learn_the_stack_by_their_environment(tmp_path):
    given = settings(data_dir=tmp_path)
    secrets = Credentials()
    where = addresses.resolve(given, secrets, PORTS)
    environment = addresses.environment(given, secrets, where)
    assert environment["PERSONAE_DATABASE_URL"].endswith("@127.0.0.1:5001/personae")
    assert environment["PERSONAE_REDIS_URL"].endswith("@127.0.0.1:5002/0")
    assert environment["PERSONAE_MODEL_URL"] == "http://127.0.0.1:5003/v1"
    assert environment["PERSONAE_DATA_DIR"] == str(tmp_path)


def test_a_sqlalchemy_url_is_given_to_other_programs_without_its_driver():
    assert addresses.driverless("postgresql+psycopg2://u:p@h/d") == "postgresql://u:p@h/d"
