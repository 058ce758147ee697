"""What the hot paths cost in statements and transactions: a rise fails; one that is meant is written down here."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from gateway import create_app
from services import work as handling
from services.dialogue import reply
from services.dialogue import tasks as dialogue
from services.dialogue import tools as outside
from services.dialogue.tools import ReplyTools
from services.ingestion import tasks as ingestion
from services.modules import tasks as modules
from shared.db import get_engine, get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import RunStatus
from shared.models import ModuleExecution, RunStep, Turn
from shared.models.base import Work
from shared.providers.chat.chat import FakeChat
from shared.providers.embedding.client import FakeEmbedding
from shared.providers.stream.stream import FakeTurnStream
from shared.queries.accounts import keys
from shared.queries.scope import DEFAULT_SCOPE
from shared.settings import get_settings
from shared.tasks import DIALOGUE, INGESTION, MODULES, Queue
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.statements import Recorder

V1 = "/api/v1"
UNLIMITED = {"owner_rows_waiting": 0, "owner_bytes_stored": 0}
AFTER = {"type": "advanced", "execution_context": "POST_RESPONSE", "script": "mood = 1"}
BEFORE = {"type": "advanced", "execution_context": "IMMEDIATE", "script": "day = 'Monday'"}


@pytest.fixture
def client(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a gateway that has been asked before, and counts nothing once in a few seconds."""
    monkeypatch.setenv("PERSONAE_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    with get_session() as session:
        key = keys.add(session, DEFAULT_SCOPE, name="counted", scopes=list(Permission)).key
    client = client_with(create_app(settings_for_tests(data_dir=tmp_path, **UNLIMITED)), key)
    say(client, talk(client))
    handling._claim(DIALOGUE, "w:1:", suspects=True)
    return client


@pytest.fixture(autouse=True)
def work_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the work as each kind's worker declares it, with fakes for the outside world."""
    for queue, handler in ((DIALOGUE, dialogue.answer), (INGESTION, ingestion.prepare), (MODULES, modules.execute)):
        monkeypatch.setitem(handling.HANDLERS, queue.name, {handler.model: handler})
    tools = ReplyTools(get_settings(), FakeChat("The coil."), FakeEmbedding(), FakeTurnStream())
    for module in (reply, outside):
        monkeypatch.setattr(module, "tools", lambda: tools)


def ask(client: FlaskClient, path: str, **given: object) -> str:
    answer = client.post(V1 + path, json=given)
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json["id"])


def talk(client: FlaskClient, template: str = "You are Ada.") -> str:
    persona = ask(client, "/personas", name=f"Ada {uuid4()}", template=template)
    return ask(client, "/conversations", persona_id=persona)


def say(client: FlaskClient, conversation: str) -> None:
    answer = client.post(f"{V1}/conversations/{conversation}/messages?wait=false", json={"content": "Well?"})
    assert answer.status_code == 202, answer.text


def perform(queue: Queue) -> int:
    """Claim, load, work and settle once, as a worker does; return how many rows that were."""
    held = handling._claim(queue, "w:1:", suspects=True)
    list(handling._perform(queue, held))
    return len(held)


def ends(model: type[Work]) -> list[RunStatus]:
    with get_session() as session:
        return list(session.scalars(select(model.status).order_by(model.id)))


def send(client: FlaskClient, persona: str, count: int) -> None:
    """Upload so many files that nobody has yet."""
    parts = [(io.BytesIO(f"A coil {uuid4()}".encode()), f"{uuid4()}.txt") for _ in range(count)]
    answer = client.post(f"{V1}/personas/{persona}/upload/works", data={"files": parts})
    assert answer.status_code == 201, answer.text
    assert answer.json["uploaded_count"] == count


@contextmanager
def costs(statements: int, transactions: int) -> Iterator[None]:
    """Fail when more is sent to the database inside the block."""
    recorder = Recorder(get_engine())
    with recorder.recording():
        yield
    assert recorder.statements, "nothing was recorded"
    assert len(recorder.statements) <= statements, recorder.told()
    assert recorder.commits <= transactions, recorder.told()


def test_a_message(client: FlaskClient) -> None:
    conversation = talk(client)
    with costs(6, 2):  # the key; the conversation, message, turn, whether it must wait, and the audit log
        say(client, conversation)


def test_a_turn_without_modules(client: FlaskClient) -> None:
    say(client, talk(client))
    with costs(13, 3):  # claim, load, settle
        assert perform(DIALOGUE) == 1
    assert ends(Turn)[1:] == [RunStatus.COMPLETED]


def test_a_turn_with_a_module_before_and_one_after_the_reply(client: FlaskClient) -> None:
    for name, module in (("day", BEFORE), ("mood", AFTER)):
        ask(client, "/modules", name=name, **module)
    say(client, talk(client, "It is @day, you are @mood."))
    with costs(16, 3):
        assert perform(DIALOGUE) == 1
    with costs(13, 3):
        assert perform(MODULES) == 1
    assert ends(ModuleExecution) == [RunStatus.COMPLETED]


def test_a_batch_of_four_steps(client: FlaskClient) -> None:
    persona = ask(client, "/personas", name="Tesla", template="T")
    send(client, persona, 4)
    assert client.post(f"{V1}/personas/{persona}/ingest").status_code == 202
    with costs(27, 3):  # 11, and 4 for each
        assert perform(INGESTION) == 4
    assert ends(RunStep).count(RunStatus.COMPLETED) == 4


def test_an_upload_of_many_files(client: FlaskClient) -> None:
    persona = ask(client, "/personas", name="Tesla", template="T")
    with costs(110, 3):  # 10, and 4 for each
        send(client, persona, 25)


def ask_apart(times: int) -> None:
    for _ in range(times):
        with get_session() as session:
            session.execute(text("SELECT 1"))


def test_one_more_than_before_is_noticed_and_told(client: FlaskClient) -> None:
    for bounds in ((1, 2), (2, 1)):
        with pytest.raises(AssertionError, match="2 statements in 2 transactions"), costs(*bounds):
            ask_apart(2)
