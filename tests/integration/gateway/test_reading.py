"""What becomes of a persona's files: passages and vectors, once each, for as long as the files are there."""

import json
import threading

import pytest
from sqlalchemy import func, select

from gateway import create_app, intake
from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.errors import Unavailable
from shared.models import (
    DataSource,
    Document,
    DocumentURI,
    Embedding,
    IngestionJob,
    KnowledgeChunk,
    Persona,
    RunGroup,
    RunStep,
)
from shared.providers.embedding.client import FakeEmbedding
from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.storage.blobs import open_blobs
from shared.queries.accounts import keys
from shared.queries.documents import documents
from shared.queries.scope import DEFAULT_SCOPE
from tests.fakes.documents import pdf
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.test_files import QUOTES, TEXT, persona, stored, upload, writer
from tests.integration.gateway.test_ingestion import status
from tests.integration.gateway.worker import run_steps, settle, take
from tests.integration.ingester import Ingester

__all__ = ["persona", "writer"]  # fixtures


def ingester_of(app):
    settings = app.config["SETTINGS"]
    return Ingester(open_blobs(settings), KreuzbergParser(), FakeEmbedding(settings.embedding_model))


@pytest.fixture
def ingest(app, writer, persona, session):
    """Ingest the persona's files to the end, and tell how it went."""
    ingester = ingester_of(app)

    def run():
        assert writer.post(f"{persona}/ingest").status_code == 202
        ingester.drain(session)
        return {job["collection_type"]: job for job in status(writer, persona)["jobs"]}

    return run


def count(session, model):
    return session.scalar(select(func.count()).select_from(model))


def texts(session):
    return session.scalars(select(KnowledgeChunk.content).order_by(KnowledgeChunk.position)).all()


@pytest.mark.capability("C88")
def test_quotes_are_stored_one_by_one_and_once(writer, persona, session, ingest):
    lines = [
        {"text": "The present is theirs.", "source_type": "curated_quote"},
        {"quote": "The future is mine."},
        {"quote": "the  present is THEIRS."},
        {"text": "The future is mine."},
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    upload(writer, persona, "quotes", ("said.jsonl", content))
    assert ingest()["quotes"]["total_vectors"] == 2
    assert texts(session) == ["The present is theirs.", "The future is mine."]
    assert count(session, Embedding) == 2


@pytest.mark.capability("C89")
def test_a_pdf_profile_is_read(writer, persona, session, ingest):
    upload(writer, persona, "profile", ("life.pdf", pdf(["Born in Smiljan.", "Moved to Paris."])))
    assert ingest()["profile"]["status"] == "completed"
    assert "Born in Smiljan." in " ".join(texts(session))


@pytest.mark.capability("C92")
def test_the_totals_of_jobs_and_collections_are_the_rows(writer, persona, session, ingest):
    upload(writer, persona, "works", ("x.txt", TEXT), ("y.txt", b"Other words. " * 400))
    upload(writer, persona, "quotes", ("said.jsonl", QUOTES))
    jobs = ingest()
    stored = writer.get(f"{persona}/collections").json
    assert sum(job["total_vectors"] for job in jobs.values()) == count(session, KnowledgeChunk)
    assert stored["total_vectors"] == count(session, KnowledgeChunk)
    assert {name: job["total_vectors"] for name, job in jobs.items()} == {
        name: collection["vectors"] for name, collection in stored["collections"].items()
    }


@pytest.mark.capability("C96")
def test_a_persona_that_has_read_nothing_holds_nothing(writer, persona):
    upload(writer, persona, "works", ("x.txt", TEXT))
    assert writer.get(f"{persona}/collections").json == {
        "collections": {
            "works": {"files": 1, "passages": 0, "vectors": 0},
            "quotes": {"files": 0, "passages": 0, "vectors": 0},
            "profile": {"files": 0, "passages": 0, "vectors": 0},
        },
        "total_vectors": 0,
    }


@pytest.mark.capability("C95")
def test_reading_twice_adds_nothing_and_another_chunk_size_replaces_all(writer, persona, session, ingest):
    upload(writer, persona, "works", ("y.txt", b"One more sentence of a long work. " * 200))
    first = ingest()["works"]["total_vectors"]
    assert ingest()["works"]["total_vectors"] == first == count(session, KnowledgeChunk)
    writer.patch(persona, json={"works_chunk_size": 64, "works_chunk_overlap": 8})
    smaller = ingest()["works"]["total_vectors"]
    assert smaller > 2 * first
    assert count(session, KnowledgeChunk) == smaller
    assert max(len(text) for text in texts(session)) <= 64 * 3


@pytest.mark.capability("C90")
def test_a_deleted_file_takes_its_bytes_and_what_was_made_of_it(app, writer, persona, session, ingest):
    file = upload(writer, persona, "works", ("x.txt", TEXT)).json["uploaded"][0]
    ingest()
    assert stored(app) == [file["document_hash"]]
    writer.delete(f"{persona}/files/{file['id']}")
    assert stored(app) == []
    assert not [path for path in (app.config["SETTINGS"].data_dir / "artifacts").rglob("*") if path.is_file()]
    assert count(session, KnowledgeChunk) == 0


@pytest.mark.capability("C90")
def test_bytes_that_another_file_has_too_stay(app, writer, persona):
    first = upload(writer, persona, "works", ("x.txt", TEXT)).json["uploaded"][0]
    upload(writer, persona, "works", ("y.txt", TEXT))
    writer.delete(f"{persona}/files/{first['id']}")
    assert stored(app) == [first["document_hash"]]


def test_bytes_that_went_while_they_were_sent_again_are_asked_for_again(app, writer, persona, session):
    file = upload(writer, persona, "works", ("x.txt", TEXT)).json["uploaded"][0]
    blobs = open_blobs(app.config["SETTINGS"])
    assert not documents.purge(session, file["document_hash"], blobs.delete)
    blobs.delete(file["document_hash"])
    with app.test_request_context(), pytest.raises(Unavailable):
        intake.require_stored(documents.Bytes(file["document_hash"], "text/plain", 1))


@pytest.mark.capability("C98")
@pytest.mark.parametrize(("flag", "kept"), [("", 0), ("?keep_files=true", 2)])
def test_a_deleted_persona_leaves_no_passage_and_no_file_unless_it_is_kept(
    app, writer, persona, session, ingest, flag, kept
):
    upload(writer, persona, "works", ("x.txt", TEXT))
    upload(writer, persona, "quotes", ("said.jsonl", QUOTES))
    ingest()
    assert writer.delete(f"{persona}{flag}").status_code == 204
    assert [count(session, model) for model in (KnowledgeChunk, DataSource, IngestionJob, RunGroup)] == [0] * 4
    assert [count(session, model) for model in (Document, DocumentURI)] == [kept, kept]
    assert len(stored(app)) == kept


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.parametrize("flag", ["", "?keep_files=true"])
def test_a_persona_deleted_during_its_ingestion_stays_deleted(app, writer, persona, session, steps, flag):
    upload(writer, persona, "works", ("x.txt", TEXT))
    writer.post(f"{persona}/ingest")
    ingester = ingester_of(app)
    for _ in range(steps):
        ingester.perform(session, ingester.claim(session))()
    settle_late = ingester.perform(session, ingester.claim(session))
    assert writer.delete(f"{persona}{flag}").status_code == 204
    session.expire_all()
    assert settle_late() is False
    assert ingester.drain(session) == 0
    assert [count(session, model) for model in (Persona, KnowledgeChunk, IngestionJob, RunStep)] == [0] * 4


def test_deleting_personas_while_workers_read_for_them_disturbs_neither(database_url, tmp_path):
    app = create_app(settings_for_tests(data_dir=tmp_path))
    with get_session() as session:
        client = client_with(app, keys.add(session, DEFAULT_SCOPE, name="test", scopes=["write"]).key)
    bodies = [{"name": f"T{number}"} for number in range(8)]
    added = [client.post("/api/v1/personas", json=body).json["id"] for body in bodies]
    personas = [f"/api/v1/personas/{persona_id}" for persona_id in added]
    for number, path in enumerate(personas):
        upload(client, path, "works", ("x.txt", TEXT), ("y.txt", f"Words {number}".encode()))
        assert client.post(f"{path}/ingest").status_code == 202
    ingester, failures = ingester_of(app), []

    def read():
        try:
            while read_one(ingester):
                pass
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    codes = [client.delete(path).status_code for path in personas]
    for reader in readers:
        reader.join(60)
    assert (failures, codes) == ([], [204] * 8)
    with get_session() as session:
        assert [count(session, model) for model in (KnowledgeChunk, IngestionJob, RunGroup, RunStep, Document)] == [
            0
        ] * 5
    assert stored(app) == []


def read_one(ingester):
    """Perform a step as a worker does, in three transactions; say whether there was one."""
    with get_session() as session:
        claim = ingester.claim(session)
    if claim is None:
        return False
    with get_session() as session:
        if session.get(RunStep, claim.id, with_for_update={"key_share": True}) is not None:
            settle_late = ingester.perform(session, claim)
            session.commit()
            settle_late()
    return True


@pytest.mark.capability("C94")
def test_a_retry_runs_only_what_failed(writer, persona, session):
    upload(writer, persona, "works", ("x.txt", TEXT))
    upload(writer, persona, "quotes", ("said.jsonl", QUOTES))
    assert writer.post(f"{persona}/ingestion/retry").status_code == 400
    writer.post(f"{persona}/ingest")
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "no space left")
    run_steps(session, 10)
    answer = writer.post(f"{persona}/ingestion/retry")
    assert answer.status_code == 202
    assert {job["collection_type"]: job["status"] for job in answer.json["jobs"]} == {
        "profile": "completed",
        "works": "processing",
        "quotes": "completed",
    }
    assert run_steps(session, 10) == 5
    assert status(writer, persona)["overall_status"] == "active"
    assert writer.post(f"{persona}/ingestion/retry").status_code == 400


def test_a_retry_of_files_that_are_gone_says_what_to_do(writer, persona, session):
    file = upload(writer, persona, "works", ("x.txt", TEXT)).json["uploaded"][0]
    writer.post(f"{persona}/ingest")
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "the file is damaged")
    writer.delete(f"{persona}/files/{file['id']}")
    answer = writer.post(f"{persona}/ingestion/retry")
    assert (answer.status_code, "start a new ingestion" in answer.json["error"]) == (400, True)


@pytest.mark.capability("C94")
def test_clearing_the_history_keeps_what_is_under_way(writer, persona, session):
    upload(writer, persona, "works", ("x.txt", TEXT))
    writer.post(f"{persona}/ingest")
    run_steps(session, 10)
    writer.post(f"{persona}/ingest")
    assert writer.delete(f"{persona}/ingestion/jobs").json == {"deleted": 3}
    assert len(status(writer, persona)["jobs"]) == 3
    run_steps(session, 10)
    assert status(writer, persona)["overall_status"] == "active"
    assert writer.delete(f"{persona}/ingestion/jobs").json == {"deleted": 3}
    assert status(writer, persona)["jobs"] == []


def test_old_romanian_encodings_are_read_as_they_were_meant(writer, persona, session, ingest):
    upload(writer, persona, "works", ("vechi.txt", "Poeţii şi ţăranii".encode("cp1250")))
    ingest()
    assert texts(session) == ["Poeţii şi ţăranii"]


@pytest.mark.capability("C93")
def test_a_line_that_holds_no_quote_fails_its_file_by_its_number(writer, persona, ingest):
    upload(writer, persona, "quotes", ("said.jsonl", b'{"text": "One."}\n{"author": "x"}\n'))
    job = ingest()["quotes"]
    assert (job["status"], status(writer, persona)["overall_status"]) == ("failed", "failed")
    why = 'line 2 has neither "text" nor "quote", so no quote of the file is taken'
    assert job["error_message"].startswith(f"0 of 1 documents completed; said.jsonl: {why}")
    assert '{"text": "the quote"}' in job["error_message"]


def test_one_file_uploaded_by_many_at_once_is_one_file(database_url, tmp_path):
    app = create_app(settings_for_tests(data_dir=tmp_path))
    with get_session() as session:
        key = keys.add(session, DEFAULT_SCOPE, name="test", scopes=["write"]).key
    persona = "/api/v1/personas/" + client_with(app, key).post("/api/v1/personas", json={"name": "T"}).json["id"]
    codes, started = [], threading.Barrier(4)

    def send():
        client = client_with(app, key)
        started.wait(10)
        codes.append(upload(client, persona, "works", ("x.txt", TEXT), ("y.txt", b"Other words.")).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with get_session() as session:
        found = [count(session, model) for model in (DataSource, DocumentURI, Document)]
    assert (codes, found) == ([201] * 4, [2, 2, 2])
    assert len(stored(app)) == 2
