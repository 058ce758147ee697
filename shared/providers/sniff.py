"""What a file is, by its content; its name only tells one text format from another."""

import io
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePath

from shared.errors import Invalid, Refused
from shared.providers import encoding

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EPUB = "application/epub+zip"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
JSON = "application/json"
JSONL = "application/jsonl"

REFUSED_BEGINNINGS = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\0asm", "a program"),
    (b"#!", "a script"),
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Office file: save it as .docx, .pptx or .xlsx without a password"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a compressed file: unpack it first"),
    (b"7z\xbc\xaf", "an archive: unpack it first"),
    (b"Rar!", "an archive: unpack it first"),
)
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    EOFError,
)
OFFICE_MEMBERS = (("word/document.xml", DOCX), ("ppt/presentation.xml", PPTX), ("xl/workbook.xml", XLSX))
CONTENT_TYPES = "[Content_Types].xml"
LARGEST_TYPES = 1 << 20
TEXT_SUFFIXES = {".md": MARKDOWN, ".markdown": MARKDOWN, ".csv": CSV}
HTML_BEGINNING = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
BEFORE_HTML = (("<!--", "-->"), ("<?xml", ">"))
PDF_HEADER_WITHIN = 1024
PDF_OBJECT = re.compile(rb"\d obj\b|%%EOF")
SCRIPT = b"#!"
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
BINARY_WITHIN = 4096
HTML_WITHIN = 4096


def sniff(data: bytes, file_name: str) -> str:
    """Return the MIME type; raises Invalid for an empty or damaged file and Refused for a kind that is not taken."""
    if not data:
        raise Invalid("the file is empty")
    for beginning, kind in REFUSED_BEGINNINGS:
        if data.startswith(beginning) and not _reads_as_text(data, beginning):
            raise Refused(f"this is {kind}")
    if _is_pdf(data):
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _sniff_zip(data)
    return _sniff_text(decode_text(data), PurePath(file_name).suffix.lower())


def _reads_as_text(data: bytes, beginning: bytes) -> bool:
    """Say whether a text only begins with the letters of another format; a script is refused although it is text."""
    return beginning.isascii() and beginning != SCRIPT and not BINARY.search(data[:BINARY_WITHIN])


def _is_pdf(data: bytes) -> bool:
    """Say whether a PDF begins here, at once or behind some bytes that are no text, and is not only spoken of."""
    at = data[:PDF_HEADER_WITHIN].find(b"%PDF-")
    if at < 0:
        return False
    return not data[:at].strip() or PDF_OBJECT.search(data) is not None


def decode_text(data: bytes) -> str:
    """Return a text or a page with plain line ends, decoded as it says or as its letters tell; raises Refused."""
    text = encoding.decode(data, encoding.declared_in(data)).replace("\r\n", "\n").replace("\r", "\n")
    if CONTROL.search(text):
        raise Refused(encoding.BINARY)
    return text


def _sniff_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            declared = archive.open("mimetype").read(64) if "mimetype" in names else b""
            types = archive.open(CONTENT_TYPES).read(LARGEST_TYPES) if CONTENT_TYPES in names else b""
    except DAMAGED as error:
        raise Invalid("the file is damaged or cut off") from error
    if declared.strip() == EPUB.encode():
        return EPUB
    return _office_type(names, types)


def _office_type(names: Sequence[str], types: bytes) -> str:
    """Tell by the usual name of the main part, else by the type that the package gives to it, whatever its name."""
    for member, mime_type in OFFICE_MEMBERS:
        if member in names or f"{mime_type}.main+xml".encode() in types:
            return mime_type
    raise Refused("this is an archive: unpack it first")


def _sniff_text(text: str, suffix: str) -> str:
    if not text.strip():
        raise Invalid("the file holds no text")
    if suffix in {".jsonl", ".ndjson"}:
        _require_json_lines(text)
        return JSONL
    if suffix == ".json":
        return _require_json(text)
    if _begins_as_html(text[:HTML_WITHIN]):
        return HTML
    if suffix in {".html", ".htm"} and "<" in text:
        return HTML
    return TEXT_SUFFIXES.get(suffix, PLAIN)


def _begins_as_html(text: str) -> bool:
    """Say whether a page begins here, behind any declarations and comments; each is looked at once."""
    at = 0
    while True:
        at += len(text) - at - len(text[at:].lstrip())
        opens, closes = next((pair for pair in BEFORE_HTML if text.startswith(pair[0], at)), ("", ""))
        if not opens:
            return HTML_BEGINNING.match(text, at) is not None
        ends = text.find(closes, at + len(opens))
        if ends < 0:
            return False
        at = ends + len(closes)


def _require_json_lines(text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if line.strip():
                json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"line {number} is not JSON") from error


def _require_json(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("the file is not JSON") from error
    return JSON
