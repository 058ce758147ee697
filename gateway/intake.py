"""Files at the gateway's door: stored before any row says that they are there."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from flask import current_app
from werkzeug.datastructures import FileStorage

from shared.db import get_session
from shared.domain.files import plain_name
from shared.domain.persona import CollectionType
from shared.errors import Invalid, Refused, TooMany, Unavailable
from shared.providers import intake
from shared.providers.network.outbound import guard
from shared.providers.storage import blobs
from shared.providers.storage.blobs import open_blobs
from shared.queries.documents import documents
from shared.queries.documents.documents import Bytes
from shared.settings import Settings


def receive(file: BinaryIO, name: str, *, collection: CollectionType | None = None, given: str | None = None) -> Bytes:
    """Store a file of a kind that is taken; raises Invalid or Refused with a reason for people, or TooLarge."""
    blobs_, limit = open_blobs(_settings()), _settings().max_upload_bytes
    return Bytes(*intake.receive(blobs_, file, name, limit=limit, collection=collection, given=given))


def receive_upload(file: FileStorage, *, collection: CollectionType | None, given: str | None = None) -> Bytes:
    """Store an uploaded file."""
    return receive(cast("BinaryIO", file.stream), plain_name(file.filename or ""), collection=collection, given=given)


class Received(NamedTuple):
    """What was stored of an upload, by name, and what was left out."""

    kept: dict[str, Bytes]
    skipped: list[dict[str, str]]


def receive_each(files: Iterable[FileStorage], collection: CollectionType) -> Received:
    """Store the files of an upload under plain names; one that is not taken does not keep the others out.

    Raises Invalid with every file's reason when none is taken.
    """
    received = Received({}, [])
    for file in files:
        name = plain_name(file.filename or "")
        try:
            if name in received.kept:
                raise Invalid("another file of this upload has the same name")
            received.kept[name] = receive_upload(file, collection=collection)
        except (Invalid, Refused) as error:
            received.skipped.append({"file_name": name, "reason": str(error)})
    if not received.kept:
        told = "; ".join(f"{skipped['file_name']}: {skipped['reason']}" for skipped in received.skipped)
        raise Invalid(f"no file was taken: {told}", skipped=received.skipped)
    return received


def require_stored(stored: Bytes) -> None:
    """Pass when the bytes are still there, inside the transaction that registers them.

    Whoever deleted the last file with these bytes a moment ago may have removed them after we stored ours.
    """
    if not open_blobs(_settings()).exists(stored.doc_hash):
        raise Unavailable("the same file was just being deleted: send it again")


def forget(doc_hashes: Iterable[str]) -> None:
    """Remove the bytes of documents that nothing leads to any more."""
    remove = partial(blobs.forget, open_blobs(_settings()))
    for doc_hash in doc_hashes:
        with get_session() as session:
            documents.purge(session, doc_hash, remove)


@contextmanager
def gone_if_refused(received: Iterable[Bytes]) -> Iterator[None]:
    """Remove what was stored already when its owner has no space for it, or no room for the work it makes."""
    try:
        yield
    except TooMany:
        forget(stored.doc_hash for stored in received)
        raise


def open_uri(uri: str) -> intake.Found:
    """Open the file that a URI leads to, within what the operator allows."""
    roots = [Path(root.strip()) for root in _settings().input_roots.split(",") if root.strip()]
    return intake.open_uri(uri, roots=roots)


def require_fetchable(uri: str) -> None:
    """Refuse at once a URL that is forbidden by its form; its name is looked up by the worker that fetches it."""
    guard(_settings()).check_form(uri)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
