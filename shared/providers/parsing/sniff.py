"""What a file is, by its content; its name only tells one text format from another."""

import codecs
import io
import json
import re
from pathlib import PurePath
from typing import BinaryIO

from shared.errors import Invalid, Refused
from shared.providers.files import encoding
from shared.providers.files.archives import DOCX as DOCX
from shared.providers.files.archives import EPUB as EPUB
from shared.providers.files.archives import ODP as ODP
from shared.providers.files.archives import ODS as ODS
from shared.providers.files.archives import ODT as ODT
from shared.providers.files.archives import PPTX as PPTX
from shared.providers.files.archives import XLSX as XLSX
from shared.providers.files.archives import package_type
from shared.providers.files.looks import CONTROL
from shared.providers.formats.mail import EML as EML

PDF = "application/pdf"
RTF = "application/rtf"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
JSON = "application/json"
JSONL = "application/jsonl"

OLD_OFFICE = b"\xd0\xcf\x11\xe0"
REFUSED_BEGINNINGS = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\0asm", "a program"),
    (b"#!/", "a script"),
    (b"#! /", "a script"),
    (OLD_OFFICE, "an old or encrypted Office file: save it as .docx, .pptx or .xlsx without a password"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a compressed file: unpack it first"),
    (b"7z\xbc\xaf", "an archive: unpack it first"),
    (b"Rar!", "an archive: unpack it first"),
)
TEXT_SUFFIXES = {".md": MARKDOWN, ".markdown": MARKDOWN, ".csv": CSV, ".tsv": CSV, ".tab": CSV}
NO_MAIL = (*TEXT_SUFFIXES, ".json", ".jsonl", ".ndjson")
HTML_BEGINNING = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
BEFORE_HTML = (("<!--", "-->"), ("<?xml", ">"))
PDF_HEADER_WITHIN = 1024
PDF_HEADER = re.compile(rb"%PDF-\d\.\d[ \t]*+(?:[\r\n]|\Z)")
PDF_OBJECT = re.compile(rb"[\r\n][ \t]*+\d++[ \t]++\d++[ \t]++obj\b")
PDF_END = b"%%EOF"
RTF_BEGINNING = b"{\\rtf"
MAIL_SUFFIXES = (".eml", ".mht", ".mhtml", ".mbox", ".mbx", ".emlx")
MAIL_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:\d{1,10}[ \t]*+\r?\n)?(?:From [^\n]*+\n)?[!-9;-~]++[ \t]*+:")
MAILBOX_BEGINNING = re.compile(rb"From \S++ ([^\n]*+)\n[!-9;-~]++:")
YEAR = re.compile(rb"\d{4}\b")
HEADERS_END = re.compile(rb"\n\r?\n")
SAVED_PAGE = (b"\nmime-version:", b"\ncontent-type: multipart/related")
SCRIPT = b"#!"
ZIP = b"PK\x03\x04"
HEAD = 1 << 20
LARGEST_LINE = 256 << 10  # bytes; the longest quote, escaped throughout, is shorter, and read it may take 30 times this
JSON_LINES = (".jsonl", ".ndjson")
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
BINARY_WITHIN = 4096
HTML_WITHIN = 65536
BLANK = re.compile(r"\s*+")


def sniff(data: bytes, file_name: str) -> str:
    """Return the MIME type of a whole file's bytes; raises Invalid and Refused."""
    return sniff_file(io.BytesIO(data), file_name)


def sniff_file(file: BinaryIO, file_name: str) -> str:
    """Return the MIME type; raises Invalid for an empty or damaged file and Refused for a kind that is not taken.

    A file is never held whole: its beginning tells its kind, an archive is read where it lies, JSON lines one by one.
    """
    head, suffix = file.read(HEAD), PurePath(file_name).suffix.lower()
    if not head:
        raise Invalid("the file is empty")
    _require_document(head, suffix)
    if head.startswith(ZIP):
        return package_type(file)
    if kind := _by_beginning(head, suffix):
        return kind
    if suffix in JSON_LINES:
        file.seek(0)
        _require_json_lines(file)
        return JSONL
    is_head = len(head) == HEAD
    text = decode_text(_to_a_line(head) if is_head else head, is_head=is_head)
    return _sniff_text(text, suffix, whole=not is_head)


def _by_beginning(head: bytes, suffix: str) -> str | None:
    """Return the kind of a document that is not in the encoding of one text; None for others."""
    if _is_pdf(head):
        return PDF
    if head.startswith(RTF_BEGINNING):
        return RTF
    if suffix in MAIL_SUFFIXES:
        return EML if MAIL_BEGINNING.match(head) else None
    return EML if suffix not in NO_MAIL and _begins_as_mails(head) else None


def _begins_as_mails(head: bytes) -> bool:
    """Say whether a file of messages, or a page saved as one, begins here whatever its name."""
    mailbox = MAILBOX_BEGINNING.match(head)
    if mailbox and YEAR.search(mailbox[1]):
        return True
    if not MAIL_BEGINNING.match(head):
        return False
    end = HEADERS_END.search(head)
    headers = b"\n" + head[: end.start() if end else len(head)].lower()
    return all(sign in headers for sign in SAVED_PAGE)


def _require_document(head: bytes, suffix: str) -> None:
    if suffix == ".msg" and head.startswith(OLD_OFFICE):
        raise Refused("this is a message of Outlook: save it as .eml")
    for beginning, kind in REFUSED_BEGINNINGS:
        if head.startswith(beginning) and not _reads_as_text(head, beginning):
            raise Refused(f"this is {kind}")


def _to_a_line(head: bytes) -> bytes:
    """Return the beginning of a long file up to the end of a line: its last character may be cut in two."""
    return head[: head.rfind(b"\n") + 1] or head


def _reads_as_text(data: bytes, beginning: bytes) -> bool:
    """Say whether a text only begins with the letters of another format; a script is refused although it is text."""
    letters = beginning.decode("latin-1")
    is_text = letters.isascii() and letters.isprintable() and not BINARY.search(data[:BINARY_WITHIN])
    return is_text and not beginning.startswith(SCRIPT)


def _is_pdf(data: bytes) -> bool:
    """Say whether a PDF begins here, at once or behind some bytes that are no text, and is not only spoken of."""
    at = data[:PDF_HEADER_WITHIN].find(b"%PDF-")
    if at < 0:
        return False
    if BINARY.search(data):
        return True
    if data[:at].strip():
        return data.rstrip().endswith(PDF_END) and PDF_OBJECT.search(data, at) is not None
    return bool(PDF_HEADER.match(data, at) or PDF_OBJECT.search(data, at))


def decode_text(data: bytes, *, is_head: bool = False) -> str:
    """Return a text or a page with plain line ends, decoded as it says or as its letters tell; raises Refused."""
    text = encoding.decode(data, encoding.declared_in(data), is_head=is_head)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if CONTROL.search(text):
        raise Refused(encoding.BINARY)
    return text


def _sniff_text(text: str, suffix: str, *, whole: bool) -> str:
    if not text.strip():
        raise Invalid("the file holds no text")
    if suffix == ".json":
        return _require_json(text, whole=whole)
    if _begins_as_html(text[:HTML_WITHIN]):
        return HTML
    if suffix in {".html", ".htm"} and "<" in text:
        return HTML
    return TEXT_SUFFIXES.get(suffix, PLAIN)


def _begins_as_html(text: str) -> bool:
    """Say whether a page begins here, behind any declarations and comments; each is looked at once."""
    at = 0
    while True:
        at = BLANK.match(text, at).end()  # type: ignore[union-attr]
        opens, closes = next((pair for pair in BEFORE_HTML if text.startswith(pair[0], at)), ("", ""))
        if not opens:
            return HTML_BEGINNING.match(text, at) is not None
        ends = text.find(closes, at + len(opens))
        if ends < 0:
            return False
        at = ends + len(closes)


def _require_json_lines(file: BinaryIO) -> None:
    number, some = 0, False
    while line := file.readline(LARGEST_LINE):
        number += 1
        if len(line) == LARGEST_LINE:
            raise Invalid(f"line {number} is longer than {LARGEST_LINE >> 10} KiB: a line of JSON holds one quote")
        some = _holds_json(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line, number) or some
    if not some:
        raise Invalid("the file holds no text")


def _holds_json(line: bytes, number: int) -> bool:
    """Say whether a line is not blank; raises Invalid with its number where it is no JSON in UTF-8."""
    try:
        text = line.decode().strip()
        if text:
            json.loads(text)
    except UnicodeDecodeError as error:
        raise Invalid(f"line {number} is not UTF-8: save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise Invalid(f"line {number} is not JSON") from error
    return bool(text)


def _require_json(text: str, *, whole: bool) -> str:
    """Pass for JSON; of a long file only the beginning is looked at, and its reading will tell the rest."""
    try:
        if whole or text.lstrip()[0] not in "[{":
            json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("the file is not JSON") from error
    return JSON
