"""A long PDF read in parts, several at once: a library that reads one document at a time has a process for each."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from shared.errors import Invalid, Transient
from shared.providers import part_reader
from shared.providers.parser import KreuzbergParser, Page, Parsed, Parser, is_whole_pdf, join_pages, require_text
from shared.providers.sniff import PDF
from shared.settings import Settings

LONGEST_SECONDS = 300.0  # that a part may take
# What pypdf raises for a file that breaks the format: such a file is left to the library, which may know better.
BROKEN = (PyPdfError, ValueError, LookupError, TypeError, AttributeError, RecursionError)

ReadPart = Callable[[bytes], Parsed]


def read_apart(part: bytes) -> Parsed:
    """Read a part in a process of its own; raises Invalid with the reason, Transient when the process was ended."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", part_reader.__name__],
            input=part,
            stdout=subprocess.PIPE,
            timeout=LONGEST_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise Transient("the process that read a part of the PDF was ended") from error
    answer: dict[str, Any] = json.loads(done.stdout)
    if "invalid" in answer:
        raise Invalid(answer["invalid"])
    return Parsed(**answer | {"pages": [Page(*page) for page in answer["pages"]]})


class PartedParser:
    """Reads a PDF of more than `pages` pages in parts of that length, `at_once` together; all else as `whole` does."""

    def __init__(self, whole: Parser, *, pages: int, at_once: int, read_part: ReadPart = read_apart) -> None:
        self._whole = whole
        self._pages = pages
        self._at_once = at_once
        self._read_part = read_part

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        """Read a document; the text is the same as that of the whole."""
        parts = self._cut(data) if mime_type == PDF and is_whole_pdf(data) else ()
        if len(parts) < 2:
            return self._whole.parse(data, mime_type)
        with ThreadPoolExecutor(self._at_once) as pool:
            return require_text(merged(list(pool.map(self._read_part, parts))))

    def _cut(self, data: bytes) -> Sequence[bytes]:
        try:
            reader = PdfReader(io.BytesIO(data))
            return () if reader.is_encrypted else list(_parts(reader, self._pages))
        except BROKEN:
            return ()


def _parts(reader: PdfReader, size: int) -> Iterator[bytes]:
    """Yield files of `size` pages each, with the document's title and author; none of a document that is one part."""
    count = len(reader.pages)
    for start in range(0, count, size) if count > size else ():
        writer, part = PdfWriter(), io.BytesIO()
        writer.append(reader, pages=(start, min(start + size, count)), import_outline=False)
        writer.add_metadata(dict(reader.metadata or {}))
        writer.write(part)
        yield part.getvalue()


def merged(parts: Sequence[Parsed]) -> Parsed:
    """Return consecutive parts as one document."""
    whole = join_pages([part.text[page.start : page.end] for part in parts for page in part.pages])
    return whole._replace(title=parts[0].title, author=parts[0].author)


def open_parser(settings: Settings) -> PartedParser:
    """Return the parser of the ingestion."""
    return PartedParser(KreuzbergParser(), pages=settings.parse_split_pages, at_once=settings.parse_split_workers)
