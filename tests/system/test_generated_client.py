"""The main job with a client that was generated from the gateway's own document, and nothing else."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import eventually
from tests.system.conftest import RunningStack

LOG = b"When fog hid the beam, the keepers rang a bronze bell. In 1890 the bell was replaced by a horn."


class Generated:
    """The generated package: operations by name, the classes of what is sent, and a client with a key."""

    def __init__(self, name: str, status: dict[str, Any]) -> None:
        self._name = name
        self.models = importlib.import_module(f"{name}.models")
        self.file = importlib.import_module(f"{name}.types").File
        client = importlib.import_module(name).AuthenticatedClient
        self.client = client(base_url=status["gateway"]["url"], token=status["api_key"], timeout=60)

    def call(self, operation: str, *arguments: Any, status: int = 200, **named: Any) -> Any:
        """Call an operation; return its answer as the class that the document promises for this status."""
        module = importlib.import_module(f"{self._name}.api.{operation}")
        answer = module.sync_detailed(*arguments, client=self.client, **named)
        assert answer.status_code == status, answer.content
        return answer.parsed


@pytest.fixture
def api(stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generated]:
    """A client generated from what the running gateway says of itself."""
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")
    name = f"generated_{uuid4().hex[:8]}"
    url = f"{stack.status['gateway']['url']}/openapi.json"
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--url", url, "--meta", "none",
         "--output-path", str(tmp_path / name), "--config", str(tmp_path / "config.yaml"), "--fail-on-warning"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    generated = Generated(name, stack.status)
    with generated.client:
        yield generated


def test_a_generated_client_does_the_main_job(api: Generated, model: FakeOpenAI) -> None:
    """Create, upload, ingest, wait, search, converse: every answer is what the document says."""
    models = api.models
    model.script(Rule(text="A horn [1]."))
    added = api.call("personas.create_persona", body=models.PersonaIn(name=f"Elena {uuid4().hex[:6]}"), status=201)
    file = api.file(payload=BytesIO(LOG), file_name="log.txt", mime_type="text/plain")
    works = models.UploadFilesCollection.WORKS
    sent = api.call("files.upload_files", added.id, works, body=models.FilesIn(files=[file]), status=201)
    assert [each.file_name for each in sent.uploaded] == ["log.txt"]
    jobs = api.call("ingestion.ingest_persona", added.id, status=202).jobs
    assert models.CollectionType.WORKS in {job.collection_type for job in jobs}
    state = eventually(
        lambda: api.call("ingestion.get_ingestion_status", added.id),
        lambda found: found.all_completed or found.any_failed,
    )
    assert not state.any_failed, state
    found = api.call("search.search_passages", body=models.SearchIn(query="the bell", persona_id=added.id))
    assert "a bronze bell" in found.items[0].content
    talk = api.call("conversations.create_conversation", body=models.ConversationIn(persona_id=added.id), status=201)
    said = models.MessageIn(content="What replaced the bell?")
    reply = api.call("turns.send_message", talk.id, body=said, wait=True)
    assert (type(reply), reply.content) == (models.MessageOut, "A horn [1].")
    turn = api.call("turns.send_message", talk.id, body=said, status=202)
    assert type(turn) is models.TurnOut
    eventually(lambda: api.call("turns.get_turn", turn.id), lambda now: now.status == models.RunStatus.COMPLETED)
    answered = api.call("asking.ask_persona", added.id, body=models.QuestionIn(query="What replaced the bell?"))
    assert answered.sources[0].cited
    refused = api.call("personas.create_persona", body=models.PersonaIn(name=""), status=422)
    assert type(refused) is models.ErrorOut
