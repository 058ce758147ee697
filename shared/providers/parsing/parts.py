"""A long PDF read in parts, several at once: a library that reads one document at a time has a process for each."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from pypdf import PdfReader, PdfWriter

from shared.errors import Invalid, Transient
from shared.providers.network.interruption import OnOpen
from shared.providers.parsing import part_reader
from shared.providers.parsing.parser import CannotStart, Page, Parsed, Parser, is_whole_pdf, join_pages, require_text
from shared.providers.parsing.sniff import PDF

LONGEST_SECONDS = 300.0  # that a part may take
LARGEST_SHARE = 4  # times its even share of the file: a larger part holds what many share, and each would hold it again

ReadPart = Callable[[bytes, OnOpen], Parsed]


class Uncut(Exception):
    """The document is better read whole."""


def read_apart(part: bytes, on_open: OnOpen) -> Parsed:
    """Read a part in a process of its own; raises Invalid with the reason, Transient when the process was ended."""
    command = [sys.executable, "-m", part_reader.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        on_open(process.kill)
        try:
            said, _ = process.communicate(part, LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    if process.returncode != 0:
        raise Transient("the process that read a part of the PDF was ended")
    answer: dict[str, Any] = json.loads(said)
    if "invalid" in answer:
        raise Invalid(answer["invalid"])
    if "cannot_start" in answer:
        raise CannotStart(answer["cannot_start"])
    return Parsed(**answer | {"pages": [Page(*page) for page in answer["pages"]]})


class PartedParser:
    """Reads a PDF of more than `pages` pages in parts of that length, `at_once` together; all else as `whole` does.

    `listener` is asked by the thread that reads a document who is to hear how its processes are ended.
    """

    def __init__(
        self,
        whole: Parser,
        *,
        pages: int,
        at_once: int,
        listener: Callable[[], OnOpen],
        read_part: ReadPart = read_apart,
    ) -> None:
        self._whole = whole
        self._pages = pages
        self._at_once = at_once
        self._listener = listener
        self._read_part = read_part

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        """Read a document; the text is the same as that of the whole."""
        parts = self._read_parts(data) if mime_type == PDF and is_whole_pdf(data) else ()
        return require_text(merged(parts)) if parts else self._whole.parse(data, mime_type)

    def _read_parts(self, data: bytes) -> Sequence[Parsed]:
        """Return what the parts hold; nothing when the document is better read whole, as the parser may know better."""
        on_open = self._listener()
        try:
            parts = Parts(data, self._pages)
            with ThreadPoolExecutor(self._at_once) as pool:
                read = pool.map(lambda number: self._read_part(parts.cut(number), on_open), range(len(parts)))
                return list(read)
        except (Uncut, Invalid):
            return ()


class Parts:
    """The parts of a PDF, each cut when it is asked for, by any thread; raises Uncut for what cannot be cut well."""

    def __init__(self, data: bytes, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        with _uncut_where_it_fails():
            self._reader = PdfReader(io.BytesIO(data))
            encrypted, self._pages = self._reader.is_encrypted, len(self._reader.pages)
        if encrypted or len(self) < 2:
            raise Uncut
        self._largest = LARGEST_SHARE * len(data) // len(self)

    def __len__(self) -> int:
        return -(-self._pages // self._size)

    def cut(self, number: int) -> bytes:
        """Return a part, from 0, as a file with the document's title and author."""
        start, part = number * self._size, io.BytesIO()
        with self._lock, _uncut_where_it_fails():
            writer = PdfWriter()
            pages = (start, min(start + self._size, self._pages))
            writer.append(self._reader, pages=pages, import_outline=False)
            writer.add_metadata(dict(self._reader.metadata or {}))
            writer.write(part)
        if part.tell() > self._largest:
            raise Uncut
        return part.getvalue()


@contextmanager
def _uncut_where_it_fails() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the library raises nearly anything for a file that breaks the format
        raise Uncut from error


def merged(parts: Sequence[Parsed]) -> Parsed:
    """Return consecutive parts as one document."""
    whole = join_pages([part.text[page.start : page.end] for part in parts for page in part.pages])
    warnings = list(dict.fromkeys(warning for part in parts for warning in part.warnings))
    return whole._replace(title=parts[0].title, author=parts[0].author, warnings=warnings)
