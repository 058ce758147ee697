"""What is kept for a time goes after it, in small batches, and nothing else does."""

import os
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from services.upkeep import retention
from services.upkeep import sweep as sweeping
from services.upkeep.retention import BlobRounds
from shared.db import get_session
from shared.domain.stages import Purpose
from shared.models import Document, Embedding, EmbeddingModel, KnowledgeChunk, ModuleExecution, WorkerCheckin
from shared.models.platform import IdempotencyKey
from shared.providers.storage.blobs import FakeBlobs, FileBlobs, forget
from shared.queries.knowledge import embeddings
from shared.queries.work import workers
from shared.settings import Settings, get_settings

HOUR = timedelta(hours=1)
PRUNED = (WorkerCheckin, IdempotencyKey, ModuleExecution)
AGO = "clock_timestamp() - interval '25 h'"


def check_in(session, name, when="clock_timestamp()"):
    session.add(WorkerCheckin(id=name, last_checkin=text(when)))
    session.flush()


def test_worker_processes_that_are_long_gone_are_forgotten_in_batches(session):
    for number in range(3):
        check_in(session, f"gone {number}", AGO)
    check_in(session, "alive")
    keep = timedelta(hours=24)
    assert [workers.prune(session, keep=keep, batch=2) for _ in range(3)] == [2, 1, 0]
    assert session.scalars(select(WorkerCheckin.id)).all() == ["alive"]


@pytest.fixture
def vectors(session):
    """Of two texts under a model, both a day old; a passage holds the first."""
    held = KnowledgeChunk(source="s", content="held")
    session.add_all([EmbeddingModel(name="m", dimensions=1), held])
    session.flush()
    for key in (held.content_hash, "unheld"):
        session.add(Embedding(content_hash=key, model="m", vector=[1.0], created_at=text(AGO)))
    session.flush()
    return held


def hashes(session):
    return set(session.scalars(select(Embedding.content_hash)))


def test_vectors_of_texts_that_no_passage_holds_go_when_they_are_old(session, vectors):
    rounds = retention.VectorRounds()
    assert rounds.remove_some(session, keep=timedelta(hours=26)) == 0
    assert [rounds.remove_some(session, keep=HOUR) for _ in range(3)] == [0, 1, 0]  # the second begins anew
    assert hashes(session) == {vectors.content_hash}
    session.delete(vectors)
    session.flush()
    assert retention.VectorRounds().remove_some(session, keep=HOUR) == 1


def test_vectors_are_looked_at_in_batches(session, vectors):
    first = embeddings.prune(session, keep=HOUR, batch=1)
    second = embeddings.prune(session, keep=HOUR, batch=1, after=first[1])
    assert (first[0] + second[0], embeddings.prune(session, keep=HOUR, batch=1, after=second[1])) == (1, (0, ""))


def test_a_vector_that_is_counted_on_again_stays(session, vectors):
    assert embeddings.known(session, "m", ["unheld", "new"]) == {"unheld"}
    assert retention.VectorRounds().remove_some(session, keep=HOUR) == 0


@pytest.mark.usefixtures("database_url")
def test_a_vector_that_somebody_counts_on_this_moment_is_passed_over():
    with get_session() as session:
        session.add(EmbeddingModel(name="m", dimensions=1))
        session.flush()
        session.add(Embedding(content_hash="unheld", model="m", vector=[1.0], created_at=text(AGO)))
    with get_session() as session:
        embeddings.known(session, "m", ["unheld"])
        with get_session() as other:
            assert embeddings.prune(other, keep=HOUR, batch=9) == (0, "unheld")


def test_every_table_that_names_how_long_it_keeps_is_pruned(session):
    check_in(session, "gone", AGO)
    session.add(IdempotencyKey(holder="h", key="k", request_hash="x", created_at=text(AGO)))
    session.add(ModuleExecution(purpose=Purpose.TEST, completed_date=text("clock_timestamp() - interval '8 days'")))
    session.flush()
    for prune in retention.prunings(Settings(_env_file=None)):
        prune(session)
    left = [session.scalar(select(func.count()).select_from(each)) for each in PRUNED]
    assert left == [0, 0, 0]


@pytest.fixture
def blobs():
    return FakeBlobs()


def test_bytes_that_no_document_leads_to_go_when_they_are_old(session, blobs):
    known, unknown = blobs.put(b"known").key, blobs.put(b"unknown").key
    blobs.put_artifact(unknown, "chunks", "1", b"[]")
    session.add(Document(hash=known, mime_type="text/plain"))
    session.flush()
    assert BlobRounds().remove_some(blobs, 0.0, older_than=HOUR) == 0
    assert BlobRounds().remove_some(blobs, 0.0, older_than=timedelta(0)) == 1
    assert (blobs.exists(known), blobs.exists(unknown)) == (True, False)
    assert not blobs.has_artifact(unknown, "chunks", "1")


def test_artifacts_that_a_step_wrote_after_its_documents_deletion_go_when_they_are_old(session, blobs):
    known, gone = blobs.put(b"known").key, blobs.put(b"gone").key
    session.add(Document(hash=known, mime_type="text/plain"))
    session.flush()
    forget(blobs, gone)
    for document in (known, gone):
        blobs.put_artifact(document, "chunks", "1", b"[]")
    assert BlobRounds().remove_some(blobs, 0.0, older_than=timedelta(0)) == 1
    assert [blobs.has_artifact(document, "chunks", "1") for document in (known, gone)] == [True, False]


def test_many_are_looked_at_in_rounds_and_the_names_walked_now_and_then(session, blobs):
    rounds = BlobRounds()
    for number in range(retention.NAMES + 1):
        blobs.put(f"{number}".encode())
    removed = [rounds.remove_some(blobs, now, older_than=timedelta(0)) for now in (0.0, 5.0, 10.0)]
    assert removed == [retention.NAMES, 1, 0]
    blobs.put(b"later")
    assert rounds.remove_some(blobs, 15.0, older_than=timedelta(0)) == 0
    assert rounds.remove_some(blobs, retention.EVERY_SECONDS, older_than=timedelta(0)) == 1


def test_a_round_looks_at_no_more_names_than_its_share_though_none_is_old(session, blobs):
    looked_at = []
    blobs.keys_older_than = lambda seconds: (looked_at.append(n) for n in range(3 * retention.NAMES))
    assert BlobRounds().remove_some(blobs, 0.0, older_than=HOUR) == 0
    assert len(looked_at) == retention.NAMES


def test_what_a_killed_writer_left_half_written_goes_when_it_is_old(session, tmp_path):
    blobs = FileBlobs(tmp_path)
    known = blobs.put(b"known").key
    session.add(Document(hash=known, mime_type="text/plain"))
    session.flush()
    blobs.put_artifact(known, "chunks", "1", b"[]")
    folders = [tmp_path / "blobs", next((tmp_path / "artifacts").glob("??/*"))]
    left = {(folder, name): folder / f".partial-{name}" for folder in folders for name in ("old", "new")}
    for (_, name), path in left.items():
        path.write_bytes(b"half")
        if name == "old":
            os.utime(path, (0, 0))
    assert BlobRounds().remove_some(blobs, 0.0, older_than=HOUR) == 0
    assert {name for (_, name), path in left.items() if path.exists()} == {"new"}
    assert blobs.exists(known)
    assert blobs.has_artifact(known, "chunks", "1")


class SentAgain(FileBlobs):
    """Bytes come again, not yet registered, after the walk has seen what is left of their document."""

    def keys_older_than(self, seconds):
        yield from super().keys_older_than(seconds)
        self.put(b"gone")


def test_bytes_that_are_sent_again_after_the_walk_has_seen_their_rubbish_stay(session, tmp_path):
    blobs = SentAgain(tmp_path)
    key = blobs.put(b"gone").key
    blobs.put_artifact(key, "chunks", "1", b"[]")
    blobs.delete(key)
    folder = next((tmp_path / "artifacts").glob("??/*"))
    os.utime(folder, (0, 0))
    assert BlobRounds().remove_some(blobs, 0.0, older_than=HOUR) == 0
    assert blobs.exists(key)


@pytest.mark.usefixtures("database_url")
def test_a_disk_that_refuses_does_not_fail_the_sweep(tmp_path, monkeypatch, caplog):
    loop = tmp_path / "blobs" / "ab" / f"sha256-{'ab' * 32}"
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop)
    monkeypatch.setenv("PERSONAE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sweeping, "BLOBS", BlobRounds())
    get_settings.cache_clear()
    sweeping.sweep()
    assert "unreferenced bytes stay" in caplog.text
