"""One embedded stack for these tests, started through the command line, with a scripted model."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from xdist.scheduler import LoadFileScheduling

from deploy.local.data import credentials, servers
from deploy.local.data.folder import Folder
from tests.fakes.openai_server import FakeOpenAI
from tests.processes import SHORT
from tests.system.client import Client
from tests.system.stacks import Stack

PROVIDER_KEY = "pk-kept-from-everyone-0123456789"
CHAT_MODEL = "a-real-model"  # the demo model is not let write memories
SMALL = {
    "PERSONAE_WORKER_THREADS": "8",
    "PERSONAE_GATEWAY_THREADS": "32",
    "PERSONAE_MAX_UPLOAD_BYTES": str(1 << 20),
}
ON_STACKS_OF_THEIR_OWN = (
    "test_chaos.py test_containers.py test_starting_and_stopping.py test_supervisor.py test_work_under_faults.py"
).split()


class OneStack(LoadFileScheduling):
    """Each file of tests in any process, but all that share the stack in one: it is not started twice."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder, _, name = file.rpartition("/")
        return folder if folder == "tests/system" and name not in ON_STACKS_OF_THEIR_OWN else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStack:
    """Have `--numprocesses` distribute so, whatever `--dist` says."""
    return OneStack(config, log)


@dataclass(frozen=True)
class RunningStack:
    """The tests' stack: its command line, and its `status --json` as it was after the start."""

    commands: Stack
    status: dict[str, Any]

    def client(self, url: str | None = None) -> Client:
        """Return a client with the administrator's key, of this stack's gateway or of one beside it."""
        return Client(url or self.status["gateway"]["url"], self.status["api_key"])


@pytest.fixture(scope="package")
def session_model() -> Iterator[FakeOpenAI]:
    """The model server of the tests' stack."""
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def model(session_model: FakeOpenAI) -> Iterator[FakeOpenAI]:
    """The stack's model server, echoing until the test scripts it."""
    session_model.requests.clear()
    yield session_model
    session_model.script()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, session_model: FakeOpenAI) -> Iterator[RunningStack]:
    """A whole stack with a data directory of its own; what a test breaks, its supervisor mends."""
    keys = dict.fromkeys(("PERSONAE_CHAT_API_KEY", "PERSONAE_EMBEDDING_API_KEY"), PROVIDER_KEY)
    model = {"PERSONAE_MODEL_URL": session_model.url, "PERSONAE_CHAT_MODEL": CHAT_MODEL, **keys}
    commands = Stack(tmp_path_factory.mktemp("stack") / "data", SHORT | SMALL | model)
    try:
        yield RunningStack(commands, commands.start())
    finally:
        commands.stop()


@pytest.fixture(scope="package")
def client(stack: RunningStack) -> Iterator[Client]:
    """The administrator at the stack's gateway."""
    with stack.client() as client:
        yield client


@pytest.fixture(scope="package")
def persona(client: Client) -> dict[str, Any]:
    """A persona to talk to."""
    body = {"name": f"Ada {uuid4().hex[:6]}", "template": "You are Ada Lovelace."}
    added: dict[str, Any] = client.post("personas", body)
    return added


@pytest.fixture
def module(client: Client) -> Callable[..., str]:
    """Add an advanced module under a name of its own; return the reference to it."""

    def add(script: str, *, context: str = "IMMEDIATE", content: str = "", **values: Any) -> str:
        name = f"m{uuid4().hex[:10]}"
        body = {"name": name, "type": "advanced", "execution_context": context, "content": content, "script": script}
        client.post("modules", body | values)
        return f"@{name}"

    return add


@pytest.fixture
def talk(client: Client) -> Callable[[str], str]:
    """Begin a conversation with a new persona of this template; return the path of its messages."""

    def begin(template: str) -> str:
        persona = client.post("personas", {"name": uuid4().hex, "template": template})
        return f"conversations/{client.post('conversations', {'persona_id': persona['id']})['id']}/messages"

    return begin


@pytest.fixture
def conversation(client: Client, persona: dict[str, Any]) -> str:
    """The path of a new conversation's messages."""
    added = client.post("conversations", {"persona_id": persona["id"]})
    return f"conversations/{added['id']}/messages"


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to copy: making a database cluster takes longer than starting it."""
    folder = Folder(tmp_path_factory.mktemp("prepared") / "data")
    folder.make()
    servers.initialise_postgres(folder.postgres, credentials.load_or_make(folder).postgres_password)
    return folder.root


@pytest.fixture
def new_stack(tmp_path: Path, prepared: Path) -> Iterator[Callable[..., Stack]]:
    """Make stacks of the stores alone, that a test may break; none of their processes outlives the test."""
    made: list[Stack] = []

    def make(name: str = "data", *, is_prepared: bool = True, **values: Any) -> Stack:
        if is_prepared and not (tmp_path / name).exists():
            shutil.copytree(prepared, tmp_path / name)
        made.append(Stack(tmp_path / name, **{"program": "tests.system.dummy_commands", **values}))
        return made[-1]

    yield make
    for each in made:
        each.stop()
