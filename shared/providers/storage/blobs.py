"""Bytes by their hash, and the artifacts derived from a document (seed 004: hash, artifact type, storage root)."""

import hashlib
import io
import math
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from shared.errors import Invalid, NotFound, TooLarge
from shared.settings import Settings

KEY = re.compile(r"sha256-[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
READ_BYTES = 1 << 20
TEMPORARY = ".partial-"

Source = bytes | BinaryIO | Iterable[bytes]


class Stored(NamedTuple):
    """What was stored: `sha256-<hex>` and the size in bytes."""

    key: str
    size: int


class Blobs(Protocol):
    """A store of bytes; safe to share between processes. Keys and names that are none raise Invalid."""

    def put(self, data: Source, *, limit: int | None = None) -> Stored:
        """Store bytes, a file or chunks under their hash, once; raises TooLarge past `limit` bytes and keeps nothing.

        When it returns, bytes and name outlast a loss of power (fsync): a row may refer to them.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """Open for reading; raises NotFound."""
        ...

    def exists(self, key: str) -> bool:
        """Say whether the bytes are there."""
        ...

    def delete(self, key: str) -> None:
        """Remove; what is not there is no error."""
        ...

    def is_older(self, key: str, seconds: float) -> bool:
        """Say whether the bytes, or artifacts without bytes, were put longer ago; not of what is not there."""
        ...

    def keys_older_than(self, seconds: float) -> Iterator[str | None]:
        """Yield keys of what is older: no row may refer to them; and None for each other name that was looked at."""
        ...

    def remove_leftovers(self, seconds: float) -> Iterator[None]:
        """Remove what was half written when its writer was killed, if older; yields at each name that was looked at."""
        ...

    def put_artifact(self, document: str, artifact_type: str, storage_root: str, data: bytes) -> None:
        """Store or replace what a step made of a document (its key)."""
        ...

    def get_artifact(self, document: str, artifact_type: str, storage_root: str) -> bytes:
        """Return an artifact; raises NotFound."""
        ...

    def has_artifact(self, document: str, artifact_type: str, storage_root: str) -> bool:
        """Say whether the artifact is there, so that a step can be left out."""
        ...

    def delete_artifacts(self, document: str) -> int:
        """Remove everything derived from a document; returns how many."""
        ...


def read(blobs: Blobs, key: str) -> bytes:
    """Return all bytes; raises NotFound."""
    with blobs.open(key) as file:
        return file.read()


def forget(blobs: Blobs, key: str, *, older_than: float | None = None) -> bool:
    """Remove a document's bytes and all that was made of them, if older than so many seconds; say whether it did."""
    if older_than is not None and not blobs.is_older(key, older_than):
        return False
    blobs.delete_artifacts(key)
    blobs.delete(key)
    return True


class FileBlobs:
    """Files under one folder, in 256 subfolders, readable by their owner only; written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._artifacts = folder / "artifacts"

    def put(self, data: Source, *, limit: int | None = None) -> Stored:
        """Write a temporary file while hashing, then move it to its name."""
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _temporary(self._blobs) as (file, temporary):
            digest, size = hashlib.sha256(), 0
            for piece in pieces(data):
                size += len(piece)
                if limit is not None and size > limit:
                    raise TooLarge(f"the limit is {limit} bytes", limit=limit)
                digest.update(piece)
                file.write(piece)
            key = f"sha256-{digest.hexdigest()}"
            # Also when it is there: the newer time keeps the removal of unreferenced blobs away.
            _publish(file, temporary, self._path(key))
        return Stored(key, size)

    def open(self, key: str) -> BinaryIO:
        """Open the file."""
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"no bytes are stored under {key}") from error

    def exists(self, key: str) -> bool:
        """Look for the file."""
        return self._path(key).exists()

    def delete(self, key: str) -> None:
        """Unlink the file."""
        self._path(key).unlink(missing_ok=True)

    def is_older(self, key: str, seconds: float) -> bool:
        """Look at the time of the file, or of the artifacts' folder."""
        for path in (self._path(key), self._document_folder(key)):
            with suppress(FileNotFoundError):
                return path.stat().st_mtime < time.time() - seconds
        return False

    def keys_older_than(self, seconds: float) -> Iterator[str | None]:
        """Walk the files by their times, and the folders of documents whose bytes went before their artifacts came."""
        for path in chain(self._blobs.glob("??/sha256-*"), self._artifacts.glob("??/sha256-*")):
            seen_as_file = path.is_dir() and self.exists(path.name)
            yield path.name if not seen_as_file and self.is_older(path.name, seconds) else None

    def remove_leftovers(self, seconds: float) -> Iterator[None]:
        """Look into the folders that are written to: a writer that lives removes or renames its own file."""
        for folder in chain([self._blobs], self._artifacts.glob("??/*")):
            for path in folder.glob(f"{TEMPORARY}*"):
                with suppress(FileNotFoundError):  # its writer has just ended
                    if path.stat().st_mtime < time.time() - seconds:
                        path.unlink()
            yield

    def put_artifact(self, document: str, artifact_type: str, storage_root: str, data: bytes) -> None:
        """Write a file per artifact."""
        path = self._artifact_path(document, artifact_type, storage_root)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _temporary(path.parent) as (file, temporary):
            file.write(data)
            _publish(file, temporary, path)

    def get_artifact(self, document: str, artifact_type: str, storage_root: str) -> bytes:
        """Read the file."""
        try:
            return self._artifact_path(document, artifact_type, storage_root).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"there is no {artifact_type} of {document} in {storage_root}") from error

    def has_artifact(self, document: str, artifact_type: str, storage_root: str) -> bool:
        """Look for the file."""
        return self._artifact_path(document, artifact_type, storage_root).exists()

    def delete_artifacts(self, document: str) -> int:
        """Remove the document's folder."""
        folder = self._document_folder(document)
        files = list(folder.glob("*"))
        for path in files:
            path.unlink(missing_ok=True)
        with suppress(OSError):  # there was none, or a step has just put another in
            folder.rmdir()
        return len(files)

    def _path(self, key: str) -> Path:
        return self._blobs / shard(key) / key

    def _document_folder(self, document: str) -> Path:
        return self._artifacts / shard(document) / document

    def _artifact_path(self, document: str, artifact_type: str, storage_root: str) -> Path:
        name = artifact_name(artifact_type, storage_root)
        return self._document_folder(document) / name


def shard(key: str) -> str:
    """Return the first two digits of a key's hash; raises Invalid for what is no key."""
    if not KEY.fullmatch(key):
        raise Invalid(f"{key[:80]!r} is not a key of stored bytes: sha256- and 64 digits")
    return key[7:9]


def artifact_name(artifact_type: str, storage_root: str) -> str:
    """Return an artifact's file name; raises Invalid for names that could lead elsewhere."""
    if not (NAME.fullmatch(artifact_type) and NAME.fullmatch(storage_root)):
        raise Invalid("an artifact's type and storage root are letters, digits, _ and -")
    return f"{artifact_type}.{storage_root}"


def pieces(data: Source) -> Iterator[bytes]:
    """Yield a source in pieces."""
    if isinstance(data, bytes):
        yield data
    elif hasattr(data, "read"):
        while piece := data.read(READ_BYTES):
            yield piece
    else:
        yield from data


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def _publish(file: BinaryIO, temporary: Path, path: Path) -> None:
    """Make the bytes durable before the name, and then the name."""
    file.flush()
    os.fsync(file.fileno())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_blobs(settings: Settings) -> FileBlobs:
    """Return the store in the settings' data directory."""
    return FileBlobs(settings.data_dir)


class FakeBlobs:
    """The same in memory."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, float]] = {}
        self._artifacts: dict[tuple[str, str], tuple[bytes, float]] = {}

    def put(self, data: Source, *, limit: int | None = None) -> Stored:
        """Keep the bytes."""
        whole = b"".join(pieces(data))
        if limit is not None and len(whole) > limit:
            raise TooLarge(f"the limit is {limit} bytes", limit=limit)
        key = f"sha256-{hashlib.sha256(whole).hexdigest()}"
        self._blobs[key] = whole, time.time()
        return Stored(key, len(whole))

    def open(self, key: str) -> BinaryIO:
        """Open a copy."""
        shard(key)
        if key not in self._blobs:
            raise NotFound(f"no bytes are stored under {key}")
        return io.BytesIO(self._blobs[key][0])

    def exists(self, key: str) -> bool:
        """Look the key up."""
        shard(key)
        return key in self._blobs

    def delete(self, key: str) -> None:
        """Forget the bytes."""
        shard(key)
        self._blobs.pop(key, None)

    def is_older(self, key: str, seconds: float) -> bool:
        """Look at when it was put."""
        return self._put_at().get(key, math.inf) < time.time() - seconds

    def keys_older_than(self, seconds: float) -> Iterator[str | None]:
        """Yield old keys."""
        yield from [key if self.is_older(key, seconds) else None for key in self._put_at()]

    def _put_at(self) -> dict[str, float]:
        put = {document: put_at for (document, _), (_, put_at) in self._artifacts.items()}
        return put | {key: put_at for key, (_, put_at) in self._blobs.items()}

    def remove_leftovers(self, seconds: float) -> Iterator[None]:
        """Look for nothing: memory is not left behind."""
        yield from ()

    def put_artifact(self, document: str, artifact_type: str, storage_root: str, data: bytes) -> None:
        """Keep the artifact."""
        shard(document)
        self._artifacts[document, artifact_name(artifact_type, storage_root)] = data, time.time()

    def get_artifact(self, document: str, artifact_type: str, storage_root: str) -> bytes:
        """Return the artifact."""
        if not self.has_artifact(document, artifact_type, storage_root):
            raise NotFound(f"there is no {artifact_type} of {document} in {storage_root}")
        return self._artifacts[document, artifact_name(artifact_type, storage_root)][0]

    def has_artifact(self, document: str, artifact_type: str, storage_root: str) -> bool:
        """Look the artifact up."""
        shard(document)
        return (document, artifact_name(artifact_type, storage_root)) in self._artifacts

    def delete_artifacts(self, document: str) -> int:
        """Forget what was derived from a document."""
        shard(document)
        gone = [place for place in self._artifacts if place[0] == document]
        for place in gone:
            del self._artifacts[place]
        return len(gone)
