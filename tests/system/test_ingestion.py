"""The ingestion of a persona's three collections, and what a lost worker does to it, over the real processes."""

import json
from collections.abc import Callable

import pytest

from tests.fakes.documents import pdf
from tests.fakes.openai_server import FakeOpenAI
from tests.processes import SHORT, until
from tests.system import library
from tests.system.client import Client
from tests.system.conftest import SMALL, RunningStack
from tests.system.stacks import Stack, ask

PAGES = 400  # of a file that takes long enough to be read for its reader to be killed
RECOVERY = 90.0  # seconds: most of it is the file, read twice on a busy machine
QUOTES = [f"Number {number} is a number that counts." for number in range(20)]


@pytest.mark.capability("C91", "C92", "C127")
def test_three_jobs_are_done_once_although_their_worker_was_killed(client: Client, stack: RunningStack) -> None:
    persona = library.add_persona(client)
    library.upload(client, persona, {"long.pdf": pdf([f"Page {page} of the log" for page in range(PAGES)])})
    library.upload(client, persona, {"said.jsonl": lines(QUOTES)}, "quotes")
    library.upload(client, persona, {"life.txt": b"She was born in London and wrote of engines."}, "profile")
    jobs = client.post(f"{persona}/ingest", status=202)["jobs"]
    assert sorted(job["collection_type"] for job in jobs) == ["profile", "quotes", "works"]
    client.post(f"{persona}/ingest", status=409)
    until(lambda: parses(stack, jobs, "RUNNING"))
    stack.commands.kill("worker-prefork")
    client.post(f"{persona}/ingest", status=409)
    ended = library.ingested(client, persona, RECOVERY)
    assert [(job["status"], job["progress"]) for job in ended["jobs"]] == [("completed", 100)] * 3
    assert parses(stack, jobs, "COMPLETED") == [(1,)]
    assert vectors(stack, persona) == {"works": PAGES, "quotes": len(QUOTES), "profile": 1}
    assert {job["collection_type"]: job["total_vectors"] for job in ended["jobs"]} == vectors(stack, persona)
    client.post(f"{persona}/ingest", status=202)


@pytest.mark.capability("C127")
def test_a_killed_workers_rows_do_not_wait_for_its_leases(new_stack: Callable[..., Stack], model: FakeOpenAI) -> None:
    slow = {"PERSONAE_LEASE_SECONDS": "600", "PERSONAE_MODEL_URL": model.url}
    commands = new_stack(environment=SHORT | SMALL | slow, program="deploy.cli.main")
    stack = RunningStack(commands, commands.start())
    with stack.client() as client:
        persona = library.add_persona(client)
        library.upload(client, persona, {"long.pdf": pdf([f"Page {page} of the log" for page in range(PAGES)])})
        jobs = client.post(f"{persona}/ingest", status=202)["jobs"]
        until(lambda: parses(stack, jobs, "RUNNING"))
        commands.kill("worker-prefork")
        assert library.ingested(client, persona, RECOVERY)["overall_status"] == "active"
    assert parses(stack, jobs, "COMPLETED") == [(1,)]


def lines(quotes: list[str]) -> bytes:
    return "\n".join(json.dumps({"text": quote}) for quote in quotes).encode()


def parses(stack: RunningStack, jobs: list[dict], status: str) -> list[tuple]:
    """Return how often the worker of the long file's parse was lost, when that is in this state."""
    (works,) = [job["run_group_id"] for job in jobs if job["collection_type"] == "works"]
    statement = (
        "SELECT step.crashes FROM runstep step JOIN workflowrun run ON run.id = step.workflow_run_id "
        "WHERE run.run_group_id = %s AND step.step_type = 'parse' AND step.status = %s"
    )
    return ask(stack.status["postgres"]["url"], statement, works, status)


def vectors(stack: RunningStack, persona: str) -> dict[str, int]:
    """Count a persona's different passages that have a vector, where no two are the same."""
    statement = (
        "SELECT chunk.collection_type::text, count(*) FROM knowledge_chunks chunk JOIN embeddings USING (content_hash) "
        "WHERE chunk.persona_id = %s GROUP BY 1"
    )
    return dict(ask(stack.status["postgres"]["url"], statement, persona.rpartition("/")[2]))
