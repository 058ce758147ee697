"""What comes in from outside as a file, from a form, a folder or the web: told by its content, kept by its hash."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from shared.errors import Forbidden, Invalid, Refused
from shared.providers.blobs import Blobs, Stored
from shared.providers.outbound import Outbound
from shared.providers.sniff import sniff_file

FETCH_SECONDS = 30.0


def kind_of(file: BinaryIO, name: str) -> str:
    """Return a file's MIME type, and leave it at its start; raises Invalid or Refused with a reason for people."""
    try:
        return sniff_file(file, name)
    finally:
        file.seek(0)


def keep(blobs: Blobs, file: BinaryIO, *, limit: int) -> Stored:
    """Store a file's bytes, and leave it at its start; raises TooLarge."""
    stored = blobs.put(file, limit=limit)
    file.seek(0)
    return stored


class Found(NamedTuple):
    """What a URI led to; the caller closes the file."""

    name: str
    file: BinaryIO


def open_uri(uri: str, *, roots: Sequence[Path], outbound: Outbound, limit: int) -> Found:
    """Open what a user's URI leads to: a file under one of the roots, or a public page of at most `limit` bytes.

    Raises Forbidden, Refused, Invalid, TooLarge, Rejected, Transient.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise Invalid("this is no URI") from error
    match parts.scheme:
        case "file":
            return _open_file(parts.netloc, unquote(parts.path), roots)
        case "http" | "https":
            fetched = outbound.fetch(uri, max_bytes=limit, seconds=FETCH_SECONDS)
            return Found(unquote(urlsplit(fetched.url).path), io.BytesIO(fetched.body))
        case "s3":
            raise Invalid("s3:// is not supported yet: upload the file, or give an https:// URL")
        case _:
            raise Refused("an input_uri begins with https://, http:// or file://")


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
