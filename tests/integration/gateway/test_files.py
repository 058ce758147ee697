"""A persona's files: told by their content, stored under plain names, counted in bytes while they come."""

import gc
import io

import pytest
from sqlalchemy import select

from gateway import create_app
from shared.models import DataSource, Document, DocumentURI, KnowledgeChunk
from tests.fakes.documents import docx, pdf
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.test_limits import send

TEXT = b"The coil hummed all night."
QUOTES = b'{"text": "The present is theirs."}\n{"quote": "The future is mine."}\n'


@pytest.fixture
def writer(client_of):
    return client_of("write")


@pytest.fixture
def persona(writer):
    return "/api/v1/personas/" + writer.post("/api/v1/personas", json={"name": "Tesla"}).json["id"]


def upload(client, persona, collection, *files):
    parts = [(io.BytesIO(content), name) for name, content in files]
    return client.post(f"{persona}/upload/{collection}", data={"files": parts})


def stored(app):
    return sorted(path.name for path in (app.config["SETTINGS"].data_dir / "blobs").glob("??/*"))


@pytest.mark.capability("C87")
def test_files_are_stored_by_their_hash_and_listed(app, writer, persona):
    answer = upload(writer, persona, "works", ("coil.txt", TEXT), ("life.pdf", pdf(["A life."])))
    assert answer.status_code == 201
    assert (answer.json["uploaded_count"], answer.json["skipped_count"]) == (2, 0)
    listed = writer.get(f"{persona}/files").json
    assert [item["file_name"] for item in listed["items"]] == ["coil.txt", "life.pdf"]
    assert sorted(item["document_hash"] for item in listed["items"]) == stored(app)
    assert listed["items"][0]["file_size_bytes"] == len(TEXT)


@pytest.mark.capability("C87")
@pytest.mark.parametrize(
    ("collection", "name", "content", "words"),
    [
        pytest.param("works", "report.pdf", b"MZ\x90\x00", "Windows program", id="a renamed program"),
        pytest.param("works", "tool.exe", b"MZ\x90\x00", "Windows program", id="a program"),
        pytest.param("works", "empty.txt", b"", "empty", id="nothing"),
        pytest.param("works", "said.jsonl", QUOTES, "works takes txt, md, pdf", id="quotes among works"),
        pytest.param("quotes", "coil.md", TEXT, 'a line is {"text"', id="prose among quotes"),
        pytest.param("quotes", "said.jsonl", b"{not json}", "line 1", id="broken quotes"),
        pytest.param("profile", "list.json", b'{"a": 1}', "profile takes", id="data"),
    ],
)
def test_an_upload_of_nothing_that_a_collection_takes_is_refused_with_the_reason(
    app, writer, persona, collection, name, content, words
):
    answer = upload(writer, persona, collection, (name, content))
    assert (answer.status_code, words in answer.json["error"]) == (422, True)
    assert [item["file_name"] for item in answer.json["details"]["skipped"]] == [name]
    assert stored(app) == []


@pytest.mark.parametrize(
    ("collection", "name", "content", "words"),
    [
        pytest.param("quotes", "none.jsonl", b"", "empty", id="no bytes"),
        pytest.param("quotes", "blank.jsonl", b"\n \n", "no text", id="blank lines"),
        pytest.param("works", "noise.txt", b"\x81\x8d\xff\xfe\x00\x01", "binary", id="no text in any encoding"),
    ],
)
def test_files_of_no_words_are_refused_with_the_reason(writer, persona, collection, name, content, words):
    answer = upload(writer, persona, collection, (name, content))
    assert (answer.status_code, words in answer.json["details"]["skipped"][0]["reason"]) == (422, True)


@pytest.mark.parametrize("data", [{}, {"files": "words"}, {"file": (io.BytesIO(TEXT), "x.txt")}], ids=list)
def test_an_upload_without_a_file_is_told_how_files_are_sent(writer, persona, data):
    answer = writer.post(f"{persona}/upload/works", data=data)
    assert answer.status_code == 422
    assert "files: send one or more files, each in a part named files" in answer.json["error"]


@pytest.mark.capability("C87")
def test_one_bad_file_does_not_keep_the_others_out(writer, persona):
    answer = upload(writer, persona, "profile", ("bad.pdf", b"\x7fELF"), ("good.docx", docx(["Good."])))
    assert [item["file_name"] for item in answer.json["uploaded"]] == ["good.docx"]
    assert answer.status_code == 201
    assert [(item["file_name"], "program" in item["reason"]) for item in answer.json["skipped"]] == [("bad.pdf", True)]


@pytest.mark.capability("C87")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../x.txt", "x.txt"),
        ("/etc/cron.d/x.txt", "x.txt"),
        ("..", "file"),
        ("poeți.txt", "poeți.txt"),
    ],
)
def test_a_name_is_stored_as_a_plain_name(app, writer, persona, given, kept):
    answer = upload(writer, persona, "works", (given, TEXT))
    assert answer.json["uploaded"][0]["file_name"] == kept
    files = [path for path in app.config["SETTINGS"].data_dir.rglob("*") if path.is_file()]
    assert [path.name for path in files] == stored(app)


def test_the_same_name_twice_in_one_upload_is_not_a_silent_loss(writer, persona):
    answer = upload(writer, persona, "works", ("a/x.txt", TEXT), ("b/x.txt", b"Other words."))
    assert answer.json["uploaded_count"] == 1
    assert "same name" in answer.json["skipped"][0]["reason"]


@pytest.mark.capability("C87")
def test_a_file_sent_again_is_its_next_version(writer, persona, session):
    first = upload(writer, persona, "works", ("x.txt", TEXT)).json["uploaded"][0]
    second = upload(writer, persona, "works", ("x.txt", b"Better words.")).json["uploaded"][0]
    assert (first["id"], first["document_hash"]) != (second["id"], second["document_hash"])
    assert first["id"] == second["id"]
    assert session.scalars(select(DocumentURI.version)).one() == 2


@pytest.mark.capability("C87")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the framework leaves the half-read part to the collector
def test_an_upload_over_the_limit_is_refused_while_it_comes(session, issue, tmp_path):
    app = create_app(settings_for_tests(data_dir=tmp_path, max_upload_bytes=100_000))
    client = client_with(app, issue("write").key)
    persona = "/api/v1/personas/" + client.post("/api/v1/personas", json={"name": "Tesla"}).json["id"]
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="x.txt"\r\n\r\n'
    body = io.BytesIO(head + b"x" * 1_000_000 + b"\r\n--x--\r\n")
    status, answer = send(client, f"{persona}/upload/works", body, "multipart/form-data; boundary=x", chunked=True)
    gc.collect()
    assert (status, answer["error_type"]) == (413, "TooLarge")
    assert body.tell() < 300_000
    assert stored(app) == []


def test_an_upload_without_files_is_explained(writer, persona):
    answer = writer.post(f"{persona}/upload/works", data={"other": "x"})
    assert answer.status_code == 422
    assert "files" in answer.json["error"]


def test_a_collection_that_does_not_exist_is_not_found(writer, persona):
    answer = upload(writer, persona, "songs", ("x.txt", TEXT))
    assert answer.status_code == 404
    assert "works" in answer.json["error"]


@pytest.mark.capability("C9")
def test_another_owners_persona_takes_no_file(app, client_of, persona):
    assert upload(client_of("write", owner="other"), persona, "works", ("x.txt", TEXT)).status_code == 404
    assert stored(app) == []


@pytest.mark.capability("C87")
def test_bytes_are_there_before_the_row_and_no_row_is_without_bytes(app, writer, persona, session, monkeypatch):
    def break_down(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("shared.queries.documents.documents._add_history", break_down)
    assert upload(writer, persona, "works", ("x.txt", TEXT)).status_code == 500
    assert len(stored(app)) == 1
    assert session.scalars(select(DataSource)).all() == session.scalars(select(Document)).all() == []


@pytest.mark.capability("C87")
def test_files_are_listed_by_collection(writer, persona):
    upload(writer, persona, "works", ("x.txt", TEXT))
    upload(writer, persona, "quotes", ("said.jsonl", QUOTES))
    listed = writer.get(f"{persona}/files?collection=quotes").json
    assert [item["file_name"] for item in listed["items"]] == ["said.jsonl"]


@pytest.mark.capability("C85")
def test_a_deleted_file_takes_its_passages_with_it(writer, persona, session):
    upload(writer, persona, "works", ("x.txt", TEXT))
    file = upload(writer, persona, "profile", ("y.txt", b"Born in Smiljan.")).json["uploaded"][0]
    location = session.scalars(select(DocumentURI).where(DocumentURI.doc_hash == file["document_hash"])).one()
    session.add(KnowledgeChunk(source="upload", content="Born in Smiljan.", document_uri_id=location.id))
    session.flush()
    assert writer.delete(f"{persona}/files/{file['id']}").status_code == 204
    assert [item["file_name"] for item in writer.get(f"{persona}/files").json["items"]] == ["x.txt"]
    assert session.scalars(select(KnowledgeChunk)).all() == []
    assert writer.delete(f"{persona}/files/{file['id']}").status_code == 404
