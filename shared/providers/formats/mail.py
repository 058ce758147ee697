"""A message as it was mailed, or a page saved as one, to markdown: who, when and what, with what came with it."""

import base64
import binascii
import email
import email.header
import email.message
import email.utils
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from shared.errors import Invalid, Refused
from shared.providers.files import encoding
from shared.providers.formats.mail_forms import best, payload, unflowed

EML = "message/rfc822"
HEADERS = ("From", "To", "Cc", "Date")
SENT = ("To", "Cc", "Bcc", "Message-ID", "Received")
SAVED_BY = "saved by"
LETTERS = (EML, "message/global", "message/news")
PAGES = ("text/html", "application/xhtml+xml")
LOOKS = (
    "text/css",
    "text/xml",
    "application/xml",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
)  # no words of a page
SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
AS_WRITTEN = frozenset({"", ".txt", ".text", ".log", ".asc", ".ics", ".vcf"})
LONGEST_TOLD = 160  # characters of a text that is left out
LONGEST_HEADER = 20_000  # characters; the time to decode one grows with its square
MESSAGE = re.compile(rb"(?:\A|\n\r?\n)(From [^\n]*+\n)(?=[!-9;-~]++[ \t]*+:)")
LENGTH = re.compile(rb"(\d{1,10})[ \t]*+\r?\n")
NOTES = (b"<?xml", b"<!DOCTYPE plist", b"<plist")
ESCAPED = re.compile(rb"^>(>*+From )", re.MULTILINE)

Message = email.message.Message
TextOf = Callable[[bytes, str], str]  # reads an attachment whose name is known, or a page; raises Invalid or Refused


class Letter(NamedTuple):
    """A message's markdown and what it says of itself; `warnings` names what could not be read."""

    text: str
    subject: str | None
    sender: str | None
    warnings: Sequence[str]


def read(data: bytes, text_of: TextOf) -> Letter:
    """Read a message, or a file of many; raises Invalid for one that is no message."""
    messages = list(_messages(_unwrapped(data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))))
    letters = [_read(message, text_of) for message in messages]
    if len(letters) == 1:
        return letters[0]
    warnings = [f"message {n}: {warning}" for n, letter in enumerate(letters, 1) for warning in letter.warnings]
    return Letter("\n\n".join(letter.text for letter in letters), None, None, warnings)


def _unwrapped(data: bytes) -> bytes:
    """Return a message without what one program puts around it: its length before, and notes of its own behind.

    A number that is no length stands before all of it.
    """
    found = LENGTH.match(data)
    if not found:
        return data
    message, behind = data[found.end() :][: int(found[1])], data[found.end() + int(found[1]) :].strip()
    return message if message and (not behind or behind.startswith(NOTES)) else data[found.end() :]


def _messages(data: bytes) -> Iterator[bytes]:
    """Cut a file of many messages at the lines that part them."""
    found = list(MESSAGE.finditer(data)) if data.startswith(b"From ") else []
    ends = [match.start(1) for match in found[1:]] + [len(data)]
    for match, end in zip(found, ends, strict=True) if found else ():
        yield ESCAPED.sub(rb"\1", data[match.end(1) : end])
    if not found:
        yield data


def _read(data: bytes, text_of: TextOf) -> Letter:
    try:
        message = email.message_from_bytes(data)
        reader = _Reader(text_of, is_page=_is_saved_page(message))
        text = "\n\n".join(reader.letter(message))
        sender, address = email.utils.parseaddr("" if reader.is_page else reader.header(message, "From"))
        subject = reader.header(message, "Subject") or None
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        raise Invalid("the file is damaged: it cannot be read as a message") from error
    return Letter(text, subject, sender or address or None, list(dict.fromkeys(reader.warnings)))


def _is_saved_page(message: Message) -> bool:
    """Say whether a browser saved a page as a message, and wrote so; a draft has no address to send it to either."""
    if "Snapshot-Content-Location" in message:
        return True
    sender = str(message.get("From", "")).casefold()
    if "@" in sender or any(name in message for name in SENT):
        return False
    root = next(iter(_inner(message)), message)
    is_placed = "Content-Location" in message or "Content-Location" in root
    return message.get_content_type() in ("multipart/related", *PAGES) and (is_placed or SAVED_BY in sender)


def _plain(value: str | email.header.Header) -> str:
    """Return a header's words decoded; one that is too long for that as it is written."""
    return str(value) if len(str(value)) > LONGEST_HEADER else _joined(email.header.decode_header(value))


def _joined(parts: Sequence[tuple[bytes | str, str | None]]) -> str:
    return "".join(
        part if isinstance(part, str) else encoding.decode(part, None if charset == "unknown-8bit" else charset)
        for part, charset in parts
    )


class _Reader:
    """Reads the parts of a message one after the other, and keeps what could not be read."""

    def __init__(self, text_of: TextOf, *, is_page: bool) -> None:
        self.warnings: list[str] = []
        self.is_page = is_page
        self._text_of = text_of

    def letter(self, message: Message) -> Iterator[str]:
        """Yield who wrote, and each of the texts; of a page only the texts."""
        subject = self.header(message, "Subject")
        if subject and not self.is_page:
            yield f"# {subject}"
        told = [f"{name}: {self.header(message, name)}" for name in HEADERS if message.get(name) and not self.is_page]
        if told:
            yield "\n".join(told)
        yield from filter(None, (text.strip() for text in self._texts(message)))

    def header(self, message: Message, name: str) -> str:
        """Return a header's words on one line; bytes that declare nothing are decoded by their looks, or it is told."""
        value = message.get(name, "")
        raw = str(value).encode("ascii", "surrogateescape") if not isinstance(value, email.header.Header) else b""
        try:
            words = encoding.decode(raw) if not raw.isascii() else _plain(value)
        except (Refused, email.errors.HeaderParseError, LookupError, UnicodeError):
            words = str(value).encode("ascii", "replace").decode()
            self.warnings.append(f"not all letters of {name!r} were read: its encoding is not known")
        return " ".join(words.split())

    def _texts(self, part: Message) -> Iterator[str]:
        kind = part.get_content_type()
        if not part.is_multipart():
            yield self._text(part)
        elif kind in LETTERS:
            yield from (text for inner in _inner(part) for text in self.letter(_sent(part, inner)))
        elif kind == "multipart/alternative":
            yield self._best(part)
        elif kind == "multipart/encrypted":
            self.warnings.append("the message is encrypted: save it as plain text")
        else:
            yield from self._mixed(part)

    def _best(self, part: Message) -> str:
        text, left_out = best(["\n\n".join(self._texts(inner)) for inner in _inner(part)])
        said = (" ".join(form.split()) for form in left_out)
        cut = (form if len(form) <= LONGEST_TOLD else f"{form[:LONGEST_TOLD]}…" for form in said)
        self.warnings += [f"another form of the text was left out, which says: {form}" for form in cut]
        return text

    def _mixed(self, part: Message) -> Iterator[str]:
        """Read the parts of one that is no text of its own; reports are told by the headers of their parts."""
        for inner in _inner(part):
            if part.get_content_maintype() == "message":
                yield "\n".join(f"{name}: {self.header(inner, name)}" for name in dict.fromkeys(inner))
            yield from self._texts(inner)
        behind = part.epilogue.strip() if isinstance(part.epilogue, str) else ""
        yield self._decoded(behind.encode("ascii", "surrogateescape"), None, "what follows the parts") if behind else ""

    def _text(self, part: Message) -> str:
        """Return what a part holds, under its name where it has one; what cannot be read is told."""
        data, name, kind = payload(part), _name(part), part.get_content_type()
        if kind in SIGNATURES or (self.is_page and (kind in LOOKS or part.get_content_maintype() in ("image", "font"))):
            return ""
        if not data.strip():
            self._note_empty(name)
            return ""
        try:
            text = self._read(part, data, name)
        except (Invalid, Refused) as error:
            self.warnings.append(f"{name or 'a part of the message'} was not read: {error}")
            return ""
        return f"## {name}\n\n{text}" if name and not self.is_page else text

    def _note_empty(self, name: str) -> None:
        if name:
            self.warnings.append(f"{name} was not read: it is empty")

    def _read(self, part: Message, data: bytes, name: str) -> str:
        charset = part.get_content_charset()
        if part.get_content_type() in PAGES:
            page = self._decoded(data, charset or encoding.declared_in(data), name)
            return self._text_of(page.encode(), "page.html")
        if part.get_content_maintype() != "text":
            return self._text_of(data, name)
        text = self._decoded(data, charset, name)
        is_plain = PurePath(name).suffix.lower() in AS_WRITTEN and part.get_content_subtype() not in ("csv", "rtf")
        if is_plain:
            return unflowed(text, part)
        return self._text_of(text.encode(), name or f"part.{part.get_content_subtype()}")

    def _decoded(self, data: bytes, charset: str | None, name: str) -> str:
        """Decode a text; one whose encoding nobody knows is read as well as it can be, and that is told."""
        try:
            text = encoding.decode(data, charset)
        except Refused:
            if encoding.NO_TEXT.search(data):
                raise
            self.warnings.append(f"not all letters of {name or 'the text'} were read: its encoding is not known")
            return data.decode("utf-8", "replace") if b"\xc3" in data else data.decode("cp1252", "replace")
        if doubt := encoding.doubt(data, charset):
            self.warnings.append(f"{name or 'a part of the message'}: {doubt}")
        return text


def _inner(part: Message) -> list[Message]:
    inside = part.get_payload()
    return [inner for inner in inside if isinstance(inner, Message)] if isinstance(inside, list) else []


def _sent(part: Message, inner: Message) -> Message:
    """Return a message within another, decoded where it was sent so although that is not allowed."""
    written = inner.get_payload()
    if inner.keys() or not isinstance(written, str) or "base64" not in str(part.get("Content-Transfer-Encoding")):
        return inner
    try:
        return email.message_from_bytes(base64.b64decode(written))
    except binascii.Error:
        return inner


def _name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
        return " ".join(_plain(name).split())
    except (Refused, email.errors.HeaderParseError, LookupError, UnicodeError):
        return "an attachment"
