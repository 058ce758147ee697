"""Documents over REST: from a form, an allowed folder or the web; one document, however many places hold it."""

import hashlib
import io
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import func, select

from gateway import create_app
from gateway.http.errors import STATUS
from gateway.schemas.dialogue.executions import NO_ID
from gateway.streaming.waiting import error_of
from services.ingestion import fetching
from shared.models import DataSource, Document, DocumentBatch, DocumentURI, RunGroup, RunStep, WorkflowRun
from shared.providers.network.outbound import guard
from shared.providers.storage.blobs import open_blobs
from shared.queries.intake import fetches
from shared.settings import get_settings
from tests.fakes.documents import pdf
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.worker import run_fetch

PATH = "/api/v1/document/ingest-document"
TEXT = b"The coil hummed all night."
LIMIT = 100_000


class Site(BaseHTTPRequestHandler):
    """A web site with a page, a page too many, and ways that lead inside."""

    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        pages = {"/page.html": b"<html><body>Alternating current.</body></html>", "/big.txt": b"x" * (LIMIT + 1)}
        body = pages.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def app(tmp_path, folder, site):
    return create_app(
        settings_for_tests(
            data_dir=tmp_path / "data", input_roots=str(folder), outbound_allow=site, max_upload_bytes=LIMIT
        )
    )


@pytest.fixture
def writer(client_of):
    return client_of("write")


def bring_in(client, content=TEXT, name="coil.txt", **fields):
    form = {"source_uri": f"/docs/{name}", "source": "disk"} | fields
    return client.post(PATH, data=form | ({} if content is None else {"file": (io.BytesIO(content), name)}))


def blobs_of(app):
    return list((app.config["SETTINGS"].data_dir / "blobs").glob("??/*"))


@pytest.mark.capability("C113")
def test_an_uploaded_document_is_known_by_its_hash(app, writer):
    answer = bring_in(writer)
    assert answer.status_code == 201
    assert answer.json["document_hash"] == blobs_of(app)[0].name
    assert (answer.json["document_uri"], answer.json["source"]) == ("/docs/coil.txt", "disk")
    assert (answer.json["batch_id"], answer.json["run_group_id"]) == (None, None)


@pytest.mark.capability("C114")
def test_the_same_bytes_at_two_uris_are_one_document(app, writer, session):
    first, second = bring_in(writer, name="a.txt"), bring_in(writer, name="b.txt")
    assert first.json["document_hash"] == second.json["document_hash"]
    assert first.json["uri_id"] != second.json["uri_id"]
    assert session.scalar(select(func.count()).select_from(Document)) == len(blobs_of(app)) == 1
    listed = writer.get("/api/v1/document/?source=disk").json
    assert [item["uri"] for item in listed["items"]] == ["/docs/a.txt", "/docs/b.txt"]
    assert {item["document_hash"] for item in listed["items"]} == {first.json["document_hash"]}


@pytest.mark.capability("C114")
def test_other_bytes_at_a_known_uri_are_its_next_version(writer):
    bring_in(writer)
    bring_in(writer)
    bring_in(writer, b"It stopped in the morning.")
    where = "uri=/docs/coil.txt&source=disk"
    history = writer.get(f"/api/v1/document/history?{where}").json["items"]
    assert [(entry["version"], entry["action"]) for entry in history] == [(1, "created"), (2, "updated")]


@pytest.mark.capability("C113")
@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        pytest.param({"doc_meta": "{"}, 400, "doc_meta is not valid JSON", id="broken meta"),
        pytest.param({"doc_meta": "[1]"}, 400, "doc_meta must be a JSON object", id="a list as meta"),
        pytest.param({"mime_type": "application/pdf"}, 422, "text/plain by its content", id="another kind"),
        pytest.param({"input_uri": "https://example.org/"}, 422, "either a file or an input_uri", id="both"),
        pytest.param({"batch_id": "9999999"}, 404, "batch 9999999 not found", id="no such batch"),
        pytest.param({"collection": "works"}, 422, "go together", id="a collection of nobody"),
        pytest.param({"priority": "high"}, 422, "priority", id="no number"),
        pytest.param({"source": ""}, 422, "source", id="no source"),
        pytest.param({"source_uri": "字" * 700}, 422, "longer than 2000 bytes", id="too many bytes of URI"),
        pytest.param({"source": "字" * 100}, 422, "longer than 255 bytes", id="too many bytes of source"),
    ],
)
def test_a_wrong_field_is_explained(writer, session, fields, status, words):
    answer = bring_in(writer, **fields)
    assert answer.status_code == status
    assert words in answer.json["error"]
    assert session.scalars(select(Document)).all() == []


def test_the_longest_names_that_are_taken_can_be_stored_and_found(writer):
    digits = (hashlib.sha256(bytes([number])).hexdigest() for number in range(40))  # nothing that could be compressed
    name = "".join(digits)
    where = {"source_uri": name[:2000], "source": name[-255:]}
    assert bring_in(writer, **where).status_code == 201
    query = {"uri": where["source_uri"], "source": where["source"]}
    assert writer.delete("/api/v1/document/by-uri", query_string=query).json["deleted_documents"] == 1


@pytest.mark.capability("C113")
def test_a_program_under_another_name_is_refused(app, writer):
    answer = bring_in(writer, b"MZ\x90\x00", "report.pdf")
    assert (answer.status_code, answer.json["error_type"]) == (400, "Refused")
    assert blobs_of(app) == []


@pytest.mark.capability("C113")
def test_a_document_is_read_from_an_allowed_folder(writer, folder):
    (folder / "a life.pdf").write_bytes(pdf(["A life."]))
    answer = bring_in(writer, None, input_uri=f"file://{folder}/a%20life.pdf")
    assert answer.status_code == 201


@pytest.mark.capability("C113")
def test_what_is_outside_the_allowed_folders_is_forbidden(writer, folder, tmp_path):
    (tmp_path / "secret.txt").write_bytes(TEXT)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    paths = ["/etc/passwd", f"{folder}/../secret.txt", f"{folder}/link.txt", f"{folder}/%2e%2e/secret.txt", "/nowhere"]
    statuses = [bring_in(writer, None, input_uri=f"file://{path}").status_code for path in paths]
    assert statuses == [403] * len(paths)
    assert bring_in(writer, None, input_uri=f"file://host{folder}/a.txt").status_code == 403


@pytest.mark.capability("C113")
def test_without_allowed_folders_no_file_is_read(session, issue, tmp_path):
    app = create_app(settings_for_tests(data_dir=tmp_path))
    (tmp_path / "a.txt").write_bytes(TEXT)
    client = client_with(app, issue("write").key)
    assert bring_in(client, None, input_uri=f"file://{tmp_path}/a.txt").status_code == 403


@pytest.mark.capability("C113")
def test_a_file_that_is_not_there_or_too_large_is_refused(writer, folder):
    (folder / "big.txt").write_bytes(b"x" * (LIMIT + 1))
    statuses = [
        bring_in(writer, None, input_uri=f"file://{folder}/{name}").status_code for name in ("none.txt", "big.txt", "")
    ]
    assert statuses == [422, 413, 422]


@pytest.fixture
def fetched(app, writer, session, monkeypatch):
    """Ask for a page, have a worker fetch it, and return the answer at once and the row in the end."""
    settings = app.config["SETTINGS"]
    tools = fetching.FetchTools(open_blobs(settings), guard(settings), LIMIT, 10.0)
    monkeypatch.setattr(fetching, "tools", lambda: tools)

    def fetch(uri, **fields):
        sent = writer.post(
            f"{PATH}?wait=false", data={"source_uri": "/docs/page", "source": "web", "input_uri": uri} | fields
        )
        return sent, run_fetch(session) if sent.status_code == 202 else None

    return fetch


@pytest.mark.capability("C113")
def test_a_document_is_fetched_from_an_allowed_address(writer, fetched, site, session):
    sent, _ = fetched(f"http://{site}/page.html", start="true")
    found = writer.get(sent.headers["Location"]).json
    assert found["status"] == "COMPLETED"
    assert session.get_one(Document, found["answer"]["document_hash"]).mime_type == "text/html"
    assert session.get_one(RunGroup, found["answer"]["run_group_id"])


@pytest.mark.capability("C18")
@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://user:secret@example.org/",
        "ftp://example.org/a.txt",
        "nonsense",
    ],
)
def test_an_address_inside_is_refused_at_once(app, writer, uri):
    answer = bring_in(writer, None, input_uri=uri)
    assert (answer.status_code, answer.json["error_type"]) == (400, "Refused")
    assert blobs_of(app) == []


@pytest.mark.parametrize(
    ("path", "status", "error_type"),
    [
        ("http://localhost/", 400, "Refused"),
        ("http://{site}/to/http://169.254.169.254/", 400, "Refused"),
        ("http://{site}/to/http://127.0.0.1:1/", 400, "Refused"),
        ("http://{site}/to/file:///etc/passwd", 400, "Refused"),
        ("http://{site}/big.txt", 413, "TooLarge"),
        ("http://{site}/missing", 502, "Rejected"),
    ],
)
@pytest.mark.capability("C18")
def test_what_a_worker_cannot_fetch_is_explained_to_who_waits(app, fetched, site, path, status, error_type):
    _, row = fetched(path.format(site=site))
    assert (row.status, row.status_meta["error_type"]) == ("FAILED", error_type)
    assert STATUS[type(error_of(row))] == status
    assert blobs_of(app) == []


def test_a_page_that_its_owner_has_no_space_for_is_not_stored(app, fetched, site, monkeypatch):
    monkeypatch.setenv("PERSONAE_OWNER_BYTES_STORED", "10")
    get_settings.cache_clear()
    _, row = fetched(f"http://{site}/page.html")
    assert (row.status, row.status_meta["error_type"]) == ("FAILED", "TooMany")
    assert "PERSONAE_OWNER_BYTES_STORED" in row.status_message
    assert STATUS[type(error_of(row))] == 429
    assert blobs_of(app) == []


def test_what_cannot_arrive_is_refused_before_anything_is_fetched(writer):
    persona = {"persona_id": NO_ID, "collection": "works"}
    assert bring_in(writer, None, input_uri="http://page.example/", **persona).status_code == 404
    assert bring_in(writer, None, input_uri="http://page.example/", batch_id="7").status_code == 404
    assert bring_in(writer, None, input_uri="s3://bucket/key").status_code == 422


def test_old_fetches_are_forgotten(fetched, site, session):
    fetched(f"http://{site}/page.html")
    assert fetches.prune(session, keep=timedelta(hours=1), batch=10) == 0
    assert fetches.prune(session, keep=timedelta(0), batch=10) == 1


@pytest.mark.capability("C113")
def test_for_a_persona_it_becomes_a_file_of_hers_with_a_run_of_its_own(writer, session):
    persona = writer.post("/api/v1/personas", json={"name": "Tesla"}).json["id"]
    answer = bring_in(writer, persona_id=persona, collection="works", priority="3", doc_meta='{"title": "The coil"}')
    run = session.scalars(select(WorkflowRun)).one()
    assert answer.json["run_group_id"] == run.run_group_id
    assert run.run_params == {
        "uri_id": answer.json["uri_id"],
        "mime_type": "text/plain",
        "doc_meta": {"title": "The coil"},
        "persona_id": persona,
        "collection": "works",
    }
    assert {step.priority for step in session.scalars(select(RunStep))} == {3}
    assert session.scalars(select(DataSource.file_name)).all() == ["coil.txt"]
    assert session.get_one(DocumentURI, answer.json["uri_id"]).doc_meta == {"title": "The coil"}


def test_a_collection_refuses_what_it_does_not_take(app, writer):
    persona = writer.post("/api/v1/personas", json={"name": "Tesla"}).json["id"]
    answer = bring_in(writer, persona_id=persona, collection="quotes", mime_type="text/markdown")
    assert answer.status_code == 422
    assert blobs_of(app) == []


def test_a_document_of_nobody_is_started_where_it_is_asked_for(writer, session):
    answer = bring_in(writer, start="true")
    assert session.get_one(RunGroup, answer.json["run_group_id"]).owner_id == "default"
    params = session.scalars(select(WorkflowRun.run_params)).one()
    assert params == {"uri_id": answer.json["uri_id"], "mime_type": "text/plain", "doc_meta": {}}


@pytest.mark.capability("C186")
def test_a_document_sent_twice_is_started_once(writer, session):
    key = {"Idempotency-Key": "doc-1"}
    form = {"source_uri": "a", "source": "disk", "start": "true"}
    first, second = (
        writer.post(PATH, data=form | {"file": (io.BytesIO(TEXT), "a.txt")}, headers=key) for _ in range(2)
    )
    assert (first.json, second.headers["Idempotent-Replayed"]) == (second.json, "true")
    assert session.scalar(select(func.count()).select_from(RunGroup)) == 1


@pytest.mark.capability("C9")
def test_another_owners_persona_and_batch_are_not_found(writer, client_of, session):
    persona = writer.post("/api/v1/personas", json={"name": "Tesla"}).json["id"]
    batch = DocumentBatch(name="May", source="disk")
    session.add(batch)
    session.flush()
    other = client_of("write", owner="other")
    assert bring_in(other, persona_id=persona, collection="works").status_code == 404
    assert bring_in(other, batch_id=str(batch.id)).status_code == 404


def test_a_batch_takes_documents_until_it_is_completed(writer, session):
    batch = DocumentBatch(name="May", source="disk")
    session.add(batch)
    session.flush()
    assert bring_in(writer, batch_id=str(batch.id)).json["batch_id"] == batch.id
    assert writer.get(f"/api/v1/document/?batch_id={batch.id}").json["total"] == 1
    batch.completed_date = func.clock_timestamp()
    session.flush()
    assert bring_in(writer, name="late.txt", batch_id=str(batch.id)).status_code == 409


def test_a_list_needs_a_source_or_a_batch(writer):
    answer = writer.get("/api/v1/document/")
    assert (answer.status_code, answer.json["error"]) == (422, "ask by source or by batch_id")


@pytest.mark.capability("C114")
def test_a_document_goes_with_its_last_uri(writer, session):
    bring_in(writer, name="a.txt")
    bring_in(writer, name="b.txt")
    gone = [writer.delete(f"/api/v1/document/by-uri?uri=/docs/{name}.txt&source=disk").json for name in "ab"]
    assert [counters["deleted_documents"] for counters in gone] == [0, 1]
    assert session.scalars(select(Document)).all() == []
    assert writer.delete("/api/v1/document/by-uri?uri=/docs/a.txt&source=disk").status_code == 404
