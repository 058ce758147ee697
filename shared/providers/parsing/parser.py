"""A file's bytes to text, with the place of each page in it."""

import importlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from shared.errors import Invalid, Transient
from shared.providers.files import encoding
from shared.providers.formats import delimited, mail, open_document, sheets, slides
from shared.providers.parsing.sniff import (
    CSV,
    DOCX,
    EML,
    EPUB,
    HTML,
    JSONL,
    MARKDOWN,
    ODP,
    ODS,
    ODT,
    PDF,
    PLAIN,
    PPTX,
    XLSX,
    decode_text,
    sniff,
)
from shared.providers.pdf import pdf
from shared.providers.web import epub, html
from shared.providers.web.pictures import without_drawings, without_pictures
from shared.providers.word import docx

PAGE_BREAK = "\n\n"
AS_IT_IS = {PLAIN, MARKDOWN}
TEXTS = {PLAIN, MARKDOWN, HTML, CSV}
LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85]")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
UNLOADED = ("failed to bind to", "bundled pdfium", "pdfium initialization failed")
FAULTS_TOLD = 5
LONGEST_TOLD = 200  # characters
HOW_TO_LOAD = "let the worker write and execute in its temporary folder, or name another one in TMPDIR"


class Page(NamedTuple):
    """A page, from 1; it is `text[start:end]`."""

    number: int
    start: int
    end: int


class Parsed(NamedTuple):
    """A document as markdown; `pages` is empty where the format has none."""

    text: str
    pages: Sequence[Page] = ()
    title: str | None = None
    author: str | None = None
    warnings: Sequence[str] = ()  # what could not be read, for people

    @property
    def page_count(self) -> int | None:
        """How many pages, None where the format has none."""
        return len(self.pages) or None

    def page_at(self, offset: int) -> int | None:
        """Return the number of the page that holds a character, None where there are no pages."""
        before = bisect_right(self.pages, offset, key=lambda page: page.start)
        return self.pages[before - 1].number if before else None


class CannotStart(Transient):
    """The parser itself does not start: no fault of the document."""


class _PanicIsInvalid:
    """Tells a panic of the library, which no `except Exception` sees and nobody can pickle, as the file's failure."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is not None and kind.__name__ == "PanicException":
            raise Invalid(f"the parser failed on this file: {str(error)[:LONGEST_TOLD]}") from None


class Parser(Protocol):
    """Reads documents; safe to share between threads."""

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        """Read a document whose type `sniff` told; raises Invalid with a reason for people."""
        ...


class KreuzbergParser:
    """kreuzberg 4.10 without OCR for PDF and RTF, readers of ours for the rest; plain text stays as it is."""

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        """Read a document."""
        return require_text(self.read(data, mime_type))

    def read(self, data: bytes, mime_type: str) -> Parsed:
        """Read a document, or a part of one, that may hold no text; raises Invalid with a reason for people."""
        doubt = encoding.doubt(data, encoding.declared_in(data)) if mime_type in TEXTS else None
        parsed = self._read(data, mime_type)
        return parsed._replace(warnings=[*parsed.warnings, doubt]) if doubt else parsed

    def _read(self, data: bytes, mime_type: str) -> Parsed:
        if mime_type in READERS:
            return READERS[mime_type](data)
        if mime_type == EML:
            return self._read_mail(data)
        return _read_text(decode_text(data), mime_type) if mime_type in AS_IT_IS else self._extract(data, mime_type)

    def _read_mail(self, data: bytes) -> Parsed:
        warnings: list[str] = []

        def text_of(part: bytes, name: str) -> str:
            attached = self.read(part, sniff(part, name))
            warnings.extend(f"{name}: {warning}" for warning in attached.warnings)
            return attached.text

        letter = mail.read(data, text_of)
        subject, sender = clean(letter.subject or "") or None, clean(letter.sender or "") or None
        return Parsed(clean(letter.text), (), subject, sender, [*letter.warnings, *warnings])

    def _extract(self, data: bytes, mime_type: str) -> Parsed:
        if mime_type == PDF and not is_whole_pdf(data):
            raise Invalid("the PDF is cut off: its end is missing")
        text = decode_text(data) if mime_type.startswith("text/") else None
        source = data if text is None else text.encode()
        result = _extracted(source, mime_type)
        is_paged = mime_type == PDF
        parsed = _paged(result.pages or (), data) if is_paged else _read_text(result.content, mime_type)
        authors = result.metadata.get("authors") or [None]
        title = clean(result.metadata.get("title") or "")
        return parsed._replace(title=title or None, author=clean(authors[0] or "") or None)


def _extracted(source: bytes, mime_type: str) -> Any:
    kreuzberg: Any = importlib.import_module("kreuzberg")
    try:
        with _PanicIsInvalid():
            return kreuzberg.extract_bytes_sync(source, mime_type, _configuration(kreuzberg))
    except kreuzberg.KreuzbergError as error:
        raise _failure(str(error), mime_type) from error


def _read_book(book: epub.Book) -> Parsed:
    """Join the chapters, and tell which could not be read; raises Invalid when nothing is left."""
    texts, faults = [], []
    for name, page, fault in book.chapters():
        chapter = _read_page(page) if page else Parsed("")
        texts.append(chapter.text.strip())
        faults += [fault] if fault else [f"{name}: {warning}" for warning in chapter.warnings]
    text = PAGE_BREAK.join(filter(None, texts))
    if faults and not text:
        raise Invalid("; ".join(few(faults)))
    return Parsed(text, (), clean(book.title) or None, clean(book.author) or None, faults)


def _told(document: docx.Document | sheets.Book | open_document.Document) -> Parsed:
    title, author = clean(document.title) or None, clean(document.author) or None
    return Parsed(clean(document.text), (), title, author, document.warnings)


def _text_within(data: bytes, name: str) -> tuple[str, Sequence[str]]:
    """Read a file that is in a document; those in it are told."""
    kind = sniff(data, name)
    if kind == DOCX:
        parsed = _told(docx.read(data))
    else:
        parsed = _read_slides(slides.read(data)) if kind == PPTX else KreuzbergParser().read(data, kind)
    return parsed.text, parsed.warnings


def _read_open(document: open_document.Document) -> Parsed:
    return _read_slides(slides.Deck(document.slides, *document[1:4])) if document.slides else _told(document)


def _read_slides(deck: slides.Deck) -> Parsed:
    pages = join_pages([clean(slide) for slide in deck.slides])
    return pages._replace(title=clean(deck.title) or None, author=clean(deck.author) or None, warnings=deck.warnings)


def few(faults: Sequence[str]) -> list[str]:
    """Return the first faults, each cut to a line's length, and how many more there are: every poll tells them."""
    told = [short(fault) for fault in faults[:FAULTS_TOLD]]
    more = len(faults) - len(told)
    return [*told, f"and {more:,} more"] if more else told


def short(said: str) -> str:
    """Return what a file says of itself, cut to a line's length."""
    return said if len(said) <= LONGEST_TOLD else f"{said[:LONGEST_TOLD]}…"


def is_whole_pdf(data: bytes) -> bool:
    """Say whether a PDF has its end."""
    return pdf.is_whole(data)


def require_text(parsed: Parsed) -> Parsed:
    """Return a document that holds text; raises Invalid for one that does not."""
    if not parsed.text.strip():
        told = "; ".join(few(parsed.warnings)) or "a scan must go through OCR first"
        raise Invalid(f"there is no text in it: {told}")
    return parsed


def _configuration(kreuzberg: Any) -> Any:
    return kreuzberg.ExtractionConfig(
        use_cache=False,
        output_format="markdown",
        disable_ocr=True,
        pages=kreuzberg.PageConfig(extract_pages=True),
    )


def clean(text: str) -> str:
    """Leave out control characters, which Postgres does not store or nobody reads; those that end a line do so."""
    return CONTROL.sub("", LINE_END.sub("\n", text))


def _failure(said: str, mime_type: str) -> Exception:
    if any(sign in said.lower() for sign in UNLOADED):
        return CannotStart(f"the parser does not start: {HOW_TO_LOAD} ({' '.join(said.split())[:LONGEST_TOLD]})")
    return Invalid(_reason(said, mime_type))


def _reason(said: str, mime_type: str) -> str:
    if "password" in said.lower() or "encrypted" in said.lower():
        return "the file is encrypted: save it without a password"
    if mime_type == PDF:
        return "the PDF is damaged or cut off"
    return f"the file is damaged: it cannot be read as {mime_type}"


def _read_text(text: str, mime_type: str) -> Parsed:
    drawn = clean(text)
    return Parsed(without_pictures(without_drawings(drawn) if mime_type == MARKDOWN else drawn))


def _read_rows(rows: delimited.Rows) -> Parsed:
    return Parsed(without_pictures(rows.text), warnings=rows.warnings)


def _read_page(page: str) -> Parsed:
    read = html.read(page)
    return Parsed(clean(read.text), (), clean(read.title or "") or None, None, read.warnings)


def _paged(pages: Iterable[dict[str, Any]], data: bytes) -> Parsed:
    """Join pages, so that offsets are exact whatever the library thinks they are."""
    return _mended([str(page["content"]) for page in pages], data)


def _mended(contents: Sequence[str], data: bytes) -> Parsed:
    """Join the pages of a PDF, mended and with what was filled into their forms."""
    known = pdf.words_of(contents)
    mended = [pdf.mend_page(content, known) for content in contents]
    try:
        filled, warnings = pdf.form_values(data), []
    except pdf.UnreadForm as error:
        filled, warnings = {}, [str(error)]
    pages = [pdf.with_fields(page, filled.get(number, ())) for number, page in enumerate(mended, 1)]
    return join_pages([clean(page) for page in pages])._replace(warnings=warnings)


def join_pages(contents: Sequence[str]) -> Parsed:
    """Return pages as one text, with their places in it."""
    ends = list(accumulate(len(content) + len(PAGE_BREAK) for content in contents))
    starts = [0, *ends]
    pages = [Page(i + 1, starts[i], starts[i] + len(content)) for i, content in enumerate(contents)]
    return Parsed(PAGE_BREAK.join(contents), pages)


READERS: dict[str, Callable[[bytes], Parsed]] = {
    JSONL: lambda data: Parsed(decode_text(data)),  # whose lines must stay what they are
    EPUB: lambda data: _read_book(epub.Book(data)),
    HTML: lambda data: _read_page(decode_text(data)),
    CSV: lambda data: _read_rows(delimited.told(clean(decode_text(data)))),
    DOCX: lambda data: _told(docx.read(data, _text_within)),
    XLSX: lambda data: _told(sheets.read(data)),
    PPTX: lambda data: _read_slides(slides.read(data, _text_within)),
    **dict.fromkeys((ODT, ODS, ODP), lambda data: _read_open(open_document.read(data))),
}


class FakeParser:
    """Decodes text and takes a form feed for a page break; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def parse(self, data: bytes, mime_type: str) -> Parsed:
        """Read text; raises Invalid when it says `damaged`."""
        self.calls += 1
        text = decode_text(data.replace(b"\f", b"\x1b"))
        if text.startswith("damaged"):
            raise Invalid("the file is damaged")
        return join_pages(text.split("\x1b"))
