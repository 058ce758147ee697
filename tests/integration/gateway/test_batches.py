"""Batches: opened, filled, started, counted, completed by their last run."""

import io

import pytest
from sqlalchemy import select

from shared.domain.lifecycle import RunStatus
from shared.models import RunStep, WorkflowRun
from tests.integration.gateway.test_files import writer
from tests.integration.gateway.test_reading import ingester_of
from tests.integration.gateway.worker import settle, take

__all__ = ["writer"]  # a fixture


def bring_in(client, batch_id, name, content):
    document = {"file": (io.BytesIO(content), name), "source_uri": name, "source": "disk", "batch_id": batch_id}
    return client.post("/api/v1/document/ingest-document", data=document)


@pytest.mark.capability("C112")
def test_a_batch_counts_its_runs_and_is_completed_by_the_last(app, writer, session):
    batch = writer.post("/api/v1/batch/", json={"name": "May", "source": "disk"}).json["id"]
    for name in ("a.txt", "b.txt"):
        assert bring_in(writer, batch, name, f"Words of {name}".encode()).status_code == 201
    started = writer.post("/api/v1/batch/start-workflows", json={"batch_id": batch})
    assert (started.status_code, started.json["workflows"]) == (201, 2)
    assert writer.post("/api/v1/batch/start-workflows", json={"batch_id": batch}).status_code == 409
    path = f"/api/v1/batch/{batch}"
    told = writer.get(path).json
    assert (told["document_count"], told["workflow_count"], told["completed_date"]) == (2, {"PENDING": 2}, None)
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "no space left")
    session.expire_all()
    assert writer.get(path).json["completed_date"] is None
    ingester_of(app).drain(session)
    session.expire_all()
    told = writer.get(f"/api/v1/batch/status?batch_id={batch}").json
    assert told["workflow_count"] == {"FAILED": 1, "COMPLETED": 1}
    assert (told["parsed"], told["remaining"]) == (1, 1)
    assert told["completed_date"] is not None
    assert writer.get("/api/v1/batch/").json["items"][0]["completed_date"] == told["completed_date"]


@pytest.mark.capability("C115")
def test_changed_bytes_are_version_two_in_the_batch_that_brought_them(writer, session):
    first, second = (
        writer.post("/api/v1/batch/", json={"name": name, "source": "disk"}).json["id"] for name in ("May", "June")
    )

    for batch, content in ((first, b"Once."), (second, b"Twice.")):
        assert bring_in(writer, batch, "a.txt", content).status_code == 201
    history = writer.get("/api/v1/document/history?uri=a.txt&source=disk").json["items"]
    assert [(row["version"], row["action"], row["batch_id"]) for row in history] == [
        (1, "created", first),
        (2, "updated", second),
    ]
    assert writer.get(f"/api/v1/batch/{second}").json["document_count"] == 1
    assert writer.post("/api/v1/batch/start-workflows", json={"batch_id": second}).json["workflows"] == 1
    assert session.scalars(select(WorkflowRun.batch_id)).all() == [second]
