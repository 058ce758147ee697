"""A persona's files and their ingestion, over REST."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.processes import DEADLINE, eventually
from tests.system.client import Client

INGESTED = ("active", "failed")


def add_persona(client: Client, template: str = "You have read a lot.") -> str:
    """Add a persona with nothing to read yet; return its path."""
    added = client.post("personas", {"name": f"Reader {uuid4().hex[:8]}", "template": template})
    return f"personas/{added['id']}"


def upload(client: Client, persona: str, files: Mapping[str, bytes], collection: str = "works") -> dict[str, Any]:
    """Upload files by name; return what became of them."""
    parts = [("files", (name, content)) for name, content in files.items()]
    answer: dict[str, Any] = client.post(f"{persona}/upload/{collection}", files=parts)
    return answer


def ingest(client: Client, persona: str, seconds: float = DEADLINE) -> dict[str, Any]:
    """Ingest a persona's files to the end; return how it went."""
    client.post(f"{persona}/ingest", status=202)
    return ingested(client, persona, seconds)


def ingested(client: Client, persona: str, seconds: float = DEADLINE) -> dict[str, Any]:
    """Wait for the end of a persona's ingestion; return how it went."""
    return eventually(
        lambda: client.get(f"{persona}/ingestion/status"), lambda found: found["overall_status"] in INGESTED, seconds
    )
