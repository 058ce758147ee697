"""What comes in from outside as a file, from a form, a folder or the web: told by its content, kept by its hash."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from shared.domain.files import refusal, settled_kind
from shared.domain.persona import CollectionType
from shared.errors import Forbidden, Invalid, Refused
from shared.providers.network.interruption import OnOpen
from shared.providers.network.outbound import Outbound
from shared.providers.parsing.sniff import sniff_file
from shared.providers.storage.blobs import Blobs, Stored


def kind_of(file: BinaryIO, name: str) -> str:
    """Return a file's MIME type, and leave it at its start; raises Invalid or Refused with a reason for people."""
    try:
        return sniff_file(file, name)
    finally:
        file.seek(0)


class Taken(NamedTuple):
    """What was stored of a document: its hash, kind and size."""

    doc_hash: str
    mime_type: str
    size: int


def receive(
    blobs: Blobs,
    file: BinaryIO,
    name: str,
    *,
    limit: int,
    collection: CollectionType | None = None,
    given: str | None = None,
) -> Taken:
    """Store a file of a kind that is taken, `given` by its sender; raises Invalid, Refused with a reason, TooLarge."""
    sniffed = kind_of(file, name)
    mime_type = settled_kind(sniffed, given)
    if mime_type is None:
        raise Invalid(f"the file is {sniffed} by its content, and not {given}")
    reason = refusal(collection, mime_type) if collection is not None else None
    if reason is not None:
        raise Invalid(reason)
    stored = keep(blobs, file, limit=limit)
    return Taken(stored.key, mime_type, stored.size)


def keep(blobs: Blobs, file: BinaryIO, *, limit: int) -> Stored:
    """Store a file's bytes, and leave it at its start; raises TooLarge."""
    stored = blobs.put(file, limit=limit)
    file.seek(0)
    return stored


class Found(NamedTuple):
    """What a URI led to; the caller closes the file."""

    name: str
    file: BinaryIO


def open_uri(uri: str, *, roots: Sequence[Path]) -> Found:
    """Open the file that a user's URI leads to, under one of the roots; raises Forbidden, Refused, Invalid."""
    parts = _split(uri)
    match parts.scheme:
        case "file":
            return _open_file(parts.netloc, unquote(parts.path), roots)
        case "s3":
            raise Invalid("s3:// is not supported yet: upload the file, or give an https:// URL")
        case _:
            raise Refused("an input_uri begins with https://, http:// or file://")


def is_on_the_web(uri: str) -> bool:
    """Say whether a URI is to be fetched; raises Invalid for one that is none."""
    return _split(uri).scheme in ("http", "https")


def fetch(outbound: Outbound, url: str, *, limit: int, seconds: float, on_open: OnOpen) -> Found:
    """Fetch a public page of at most `limit` bytes; raises Refused, TooLarge, Rejected, Transient."""
    fetched = outbound.fetch(url, max_bytes=limit, seconds=seconds, on_open=on_open)
    return Found(unquote(urlsplit(fetched.url).path), io.BytesIO(fetched.body))


def _split(uri: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError as error:
        raise Invalid("this is no URI") from error


def _open_file(host: str, path: str, roots: Sequence[Path]) -> Found:
    """Open a file inside the roots, by where links lead; what is outside and what is nowhere raise the same."""
    try:
        real = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):
        real = None
    if host not in ("", "localhost") or real is None or not any(real.is_relative_to(root.resolve()) for root in roots):
        raise Forbidden("this path is outside the folders that PERSONAE_INPUT_ROOTS allows")
    if not real.is_file():
        raise Invalid("there is no such file")
    return Found(real.name, real.open("rb"))
