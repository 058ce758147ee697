"""Bytes by their hash: on disk and in memory alike."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import Invalid, NotFound, TooLarge
from shared.providers.storage.blobs import Blobs, FakeBlobs, FileBlobs, read

ABSENT = "sha256-" + "0" * 64
FOX = "sha256-" + "776cb326ab0cd5f0a974c1b9606044d8485201f2db19cf8e3749bdee5f36e200"


@pytest.fixture(params=["file", "fake"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return FileBlobs(tmp_path) if request.param == "file" else FakeBlobs()


@pytest.mark.parametrize("source", [b"fox", io.BytesIO(b"fox"), iter([b"f", b"ox"])], ids=["bytes", "file", "pieces"])
def test_bytes_come_back_under_their_hash(tmp_path: Path, source: object) -> None:
    blobs = FileBlobs(tmp_path)
    stored = blobs.put(source)  # type: ignore[arg-type]
    assert stored == (FOX, 3)
    assert read(blobs, stored.key) == b"fox"


@pytest.mark.capability("C114")
def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    assert blobs.put(b"same") == blobs.put(b"same")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_deleted_blob_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    key = blobs.put(b"x").key
    blobs.delete(key)
    blobs.delete(key)
    assert not blobs.exists(key)
    with pytest.raises(NotFound):
        blobs.open(key)


def test_a_stream_over_the_limit_leaves_nothing_and_is_not_read_on(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 10

    with pytest.raises(TooLarge):
        FileBlobs(tmp_path).put(endless(), limit=25)
    assert len(taken) == 3
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_limit_holds_in_memory_too(blobs: Blobs) -> None:
    with pytest.raises(TooLarge):
        blobs.put(b"123456", limit=5)
    assert blobs.put(b"12345", limit=5).size == 5


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    FileBlobs(tmp_path).put(b"secret")
    for path in (tmp_path / "blobs").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize("key", ["../../etc/passwd", "sha256-abc", "sha256-" + "G" * 64, "", FOX + "/.."])
def test_what_is_no_key_is_invalid(blobs: Blobs, key: str) -> None:
    with pytest.raises(Invalid):
        blobs.open(key)


def test_old_keys_are_listed_for_removal(blobs: Blobs) -> None:
    key = blobs.put(b"x").key
    assert list(blobs.keys_older_than(60)) == [None]
    assert list(blobs.keys_older_than(-60)) == [key]
    assert (blobs.is_older(key, 60), blobs.is_older(key, -60), blobs.is_older(ABSENT, -60)) == (False, True, False)


def test_artifacts_without_their_documents_bytes_are_listed_for_removal_too(blobs: Blobs) -> None:
    key = blobs.put(b"x").key
    for document in (key, FOX):
        blobs.put_artifact(document, "chunks", "1", b"[]")
    assert not any(blobs.keys_older_than(60))
    assert sorted(filter(None, blobs.keys_older_than(-60))) == sorted([key, FOX])


def test_an_artifact_is_kept_per_type_and_storage_root(blobs: Blobs) -> None:
    blobs.put_artifact(FOX, "chunks", "12", b"one")
    blobs.put_artifact(FOX, "chunks", "13", b"two")
    blobs.put_artifact(FOX, "chunks", "13", b"three")
    assert blobs.get_artifact(FOX, "chunks", "12") == b"one"
    assert blobs.get_artifact(FOX, "chunks", "13") == b"three"
    assert not blobs.has_artifact(FOX, "embeddings", "12")
    with pytest.raises(NotFound):
        blobs.get_artifact(ABSENT, "chunks", "12")


def test_the_artifacts_of_a_document_go_together(blobs: Blobs) -> None:
    blobs.put_artifact(FOX, "chunks", "1", b"x")
    blobs.put_artifact(FOX, "embeddings", "1", b"y")
    assert blobs.delete_artifacts(FOX) == 2
    assert blobs.delete_artifacts(FOX) == 0
    assert not blobs.has_artifact(FOX, "chunks", "1")


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "a.b"])
def test_artifact_names_lead_nowhere_else(blobs: Blobs, name: str) -> None:
    with pytest.raises(Invalid):
        blobs.put_artifact(FOX, name, "1", b"x")
    with pytest.raises(Invalid):
        blobs.put_artifact(FOX, "chunks", name, b"x")
