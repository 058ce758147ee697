"""Files in, searchable passages out, and a reply that cites them, over the real processes."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.domain.workflow import ArtifactType
from tests.fakes.documents import pdf
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.system import library
from tests.system.client import Client
from tests.system.conftest import RunningStack
from tests.system.stacks import ask

STEPS = ["validate", "parse", "chunk", "embed", "store"]
NOTES = pdf(["The engine weaves algebraic patterns", "The Jacquard loom weaves flowers and leaves"], title="Notes")
LETTER = b"Babbage lived in Marylebone and disliked organ grinders. " * 40


@pytest.fixture
def reader(client: Client) -> str:
    return library.add_persona(client)


@pytest.fixture(scope="module")
def read(client: Client) -> str:
    """A persona that has read the notes; tests only look at it."""
    persona = library.add_persona(client)
    library.upload(client, persona, {"notes.pdf": NOTES})
    assert library.ingest(client, persona)["overall_status"] == "active"
    return persona


def steps_of(client: Client, ingestion: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of an ingestion's only run."""
    groups = [client.get(f"workflow/run-groups/{job['run_group_id']}") for job in ingestion["jobs"]]
    (run,) = [run for group in groups for run in group["runs"]]
    steps: list[dict[str, Any]] = client.get(f"workflow/runs/{run['id']}")["steps"]
    return steps


def passages_of(stack: RunningStack, persona: str) -> list[tuple[Any, ...]]:
    statement = "SELECT content, doc_hash FROM knowledge_chunks WHERE persona_id = %s ORDER BY content"
    return ask(stack.status["postgres"]["url"], statement, persona.rpartition("/")[2])


def artifacts_of(stack: RunningStack, content: bytes) -> set[str]:
    digest = hashlib.sha256(content).hexdigest()
    folders = [path for path in stack.commands.folder.rglob(f"sha256-{digest}") if path.is_dir()]
    return {path.name.partition(".")[0] for folder in folders for path in folder.iterdir()}


@pytest.mark.capability("C125", "C136")
def test_a_document_goes_through_five_steps_one_after_the_other(client: Client, read: str, stack: RunningStack) -> None:
    steps = steps_of(client, client.get(f"{read}/ingestion/status"))
    assert [(step["step_type"], step["status"]) for step in steps] == [(name, "COMPLETED") for name in STEPS]
    assert all(before["completed_date"] <= after["start_date"] for before, after in pairwise(steps))
    assert artifacts_of(stack, NOTES) == {kind.value for kind in ArtifactType if kind is not ArtifactType.DOC}


@pytest.mark.capability("C111")
def test_what_was_read_is_found(client: Client, read: str) -> None:
    body = {"query": "Jacquard loom flowers", "persona_id": read.rpartition("/")[2], "limit": 1}
    found = client.post("search", body, 200)
    assert "Jacquard" in found["items"][0]["content"]
    assert found["items"][0]["page"] in (1, 2)
    assert not found["degraded"]


def test_a_reply_is_given_what_was_read_and_cites_it(client: Client, read: str, model: FakeOpenAI) -> None:
    model.script(Rule(match="loom", text="It weaves flowers and leaves [1]."))
    conversation = client.post("conversations", {"persona_id": read.rpartition("/")[2]})["id"]
    body = {"content": "What does the loom weave?"}
    reply = client.post(f"conversations/{conversation}/messages?wait=true", body, 200)
    given = next(request["body"]["messages"] for request in model.requests if "messages" in request["body"])
    assert "The Jacquard loom weaves flowers" in given[0]["content"]
    (citation,) = reply["extra_data"]["citations"]
    assert citation["number"] == 1
    assert citation["label"].startswith("Notes")


@pytest.mark.capability("C136")
def test_reading_again_changes_nothing_and_a_changed_file_replaces_its_passages(
    client: Client, reader: str, stack: RunningStack
) -> None:
    library.upload(client, reader, {"letter.txt": LETTER})
    library.ingest(client, reader)
    before = passages_of(stack, reader)
    library.ingest(client, reader)
    assert passages_of(stack, reader) == before
    changed = LETTER.replace(b"Marylebone", b"Somerset")
    library.upload(client, reader, {"letter.txt": changed})
    library.ingest(client, reader)
    after = passages_of(stack, reader)
    assert len(after) == len(before)
    assert {doc_hash for _, doc_hash in after} == {f"sha256-{hashlib.sha256(changed).hexdigest()}"}
    assert not any("Marylebone" in content for content, _ in after)


@pytest.mark.capability("C87")
def test_an_upload_keeps_what_can_be_read_and_says_why_not_the_rest(client: Client, reader: str) -> None:
    files = {"setup.exe": b"MZ\x90\x00" + bytes(64), "../../etc/passwd.txt": b"harmless words", "empty.txt": b""}
    answer = library.upload(client, reader, files)
    assert [file["file_name"] for file in answer["uploaded"]] == ["passwd.txt"]
    assert {file["file_name"]: bool(file["reason"]) for file in answer["skipped"]} == {
        "setup.exe": True,
        "empty.txt": True,
    }


@pytest.mark.capability("C87")
def test_an_upload_over_the_limit_is_refused(client: Client, reader: str, stack: RunningStack) -> None:
    parts = [("files", ("big.txt", b"x" * (2 << 20)))]
    with stack.client() as other:  # the server closes the connection of a body that it does not read
        other.post(f"{reader}/upload/works", files=parts, status=413)
    assert client.get(f"{reader}/files")["total"] == 0


@pytest.mark.capability("C136")
def test_a_broken_file_fails_with_its_reason_and_the_others_are_read(
    client: Client, reader: str, stack: RunningStack
) -> None:
    library.upload(client, reader, {"broken.pdf": NOTES[:200], "letter.txt": LETTER})
    ended = library.ingest(client, reader)
    works = next(job for job in ended["jobs"] if job["collection_type"] == "works")
    assert (ended["overall_status"], works["status"]) == ("failed", "failed")
    runs = client.get(f"workflow/run-groups/{works['run_group_id']}")["runs"]
    assert sorted(run["status"] for run in runs) == ["COMPLETED", "FAILED"]
    assert all(run["status_message"] for run in runs if run["status"] == "FAILED")
    assert passages_of(stack, reader)


@pytest.mark.capability("C113", "C114")
def test_the_same_bytes_at_two_uris_are_one_document(client: Client, stack: RunningStack) -> None:
    content = f"Seen twice {uuid4().hex}".encode()
    first, second = [bring(client, content, f"/shelf/{name}.txt") for name in ("one", "two")]
    assert first["document_hash"] == second["document_hash"] == f"sha256-{hashlib.sha256(content).hexdigest()}"
    assert first["uri_id"] != second["uri_id"]
    counted = "SELECT count(*), (SELECT count(*) FROM document WHERE hash = %s) FROM documenturi WHERE doc_hash = %s"
    key = first["document_hash"]
    assert ask(stack.status["postgres"]["url"], counted, key, key) == [(2, 1)]
    assert len([path for path in stack.commands.folder.rglob(key) if path.is_file()]) == 1


def bring(client: Client, content: bytes, uri: str) -> dict[str, Any]:
    data = {"source_uri": uri, "source": "shelf"}
    answer: dict[str, Any] = client.post("document/ingest-document", data=data, files={"file": ("a.txt", content)})
    return answer


@pytest.mark.capability("C113")
def test_a_document_outside_the_allowed_folders_or_with_bad_meta_is_refused(client: Client) -> None:
    data = {"source_uri": "/etc/passwd", "source": "shelf", "input_uri": Path("/etc/passwd").as_uri()}
    client.post("document/ingest-document", data=data, status=403)
    bad = {"source_uri": "/a", "source": "shelf", "doc_meta": "{not json"}
    client.post("document/ingest-document", data=bad, files={"file": ("a.txt", b"words")}, status=400)


@pytest.mark.capability("C81")
def test_a_new_stack_begins_with_a_persona_and_the_modules_of_its_memory(client: Client) -> None:
    assert "Ava" in {persona["name"] for persona in client.get("personas?limit=100")["items"]}
    modules = {module["name"] for module in client.get("modules?limit=100")["items"]}
    assert {"short_term_memory", "long_term_memory"} <= modules


@pytest.mark.capability("C18")
@pytest.mark.capability("C113")
def test_a_url_is_fetched_by_a_worker_and_never_inside(client: Client, stack: RunningStack) -> None:
    port = stack.status["gateway"]["url"].rpartition(":")[2]
    data = {"source_uri": "/page", "source": "web", "input_uri": f"http://localhost:{port}/health"}
    refused = client.ask("POST", "document/ingest-document", data=data)
    assert (refused.status_code, refused.json()["error_type"]) == (400, "Refused")
    fetch = refused.json()["details"]["fetch_id"]
    assert client.get(f"document/fetches/{fetch}")["status"] == "FAILED"
    assert client.get(f"work/fetches/{fetch}")["status_message"] == "localhost does not lead to a public address"
