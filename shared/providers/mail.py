"""A message as it was mailed, to markdown: who, when and what, with the texts that came with it."""

import email
import email.header
import email.message
import email.utils
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from shared.errors import Invalid, Refused
from shared.providers import encoding

EML = "message/rfc822"
HEADERS = ("From", "To", "Cc", "Date")
LONGEST_HEADER = 20_000  # characters; the time to decode one grows with its square
TABLES = (".csv", ".tsv", ".tab")
LARGEST_SHARE = 4  # times longer a page may be than the plain text beside it, which else only says that there is a page

Message = email.message.Message
TextOf = Callable[[bytes, str], str]  # reads an attachment whose name is known, or a page; raises Invalid or Refused


class Letter(NamedTuple):
    """A message's markdown and what it says of itself; `warnings` names what could not be read."""

    text: str
    subject: str | None
    sender: str | None
    warnings: Sequence[str]


def read(data: bytes, text_of: TextOf) -> Letter:
    """Read a message; raises Invalid for one that is no message."""
    try:
        message = email.message_from_bytes(data)
        warnings: list[str] = []
        text = "\n\n".join(_letter(message, text_of, warnings))
        sender, address = email.utils.parseaddr(_header(message, "From", warnings))
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        raise Invalid("the file is damaged: it cannot be read as a message") from error
    subject = _header(message, "Subject", warnings) or None
    return Letter(text, subject, sender or address or None, list(dict.fromkeys(warnings)))


def _letter(message: Message, text_of: TextOf, warnings: list[str]) -> Iterator[str]:
    subject = _header(message, "Subject", warnings)
    if subject:
        yield f"# {subject}"
    told = [f"{name}: {_header(message, name, warnings)}" for name in HEADERS if message.get(name)]
    if told:
        yield "\n".join(told)
    yield from filter(None, (text.strip() for text in _texts(message, text_of, warnings)))


def _header(message: Message, name: str, warnings: list[str]) -> str:
    """Return a header's words on one line; bytes that declare nothing are decoded by their looks, or it is told."""
    value = message.get(name, "")
    raw = str(value).encode("ascii", "surrogateescape") if not isinstance(value, email.header.Header) else b""
    try:
        words = encoding.decode(raw) if not raw.isascii() else _plain(value)
    except (Refused, email.errors.HeaderParseError, LookupError, UnicodeError):
        words = str(value).encode("ascii", "replace").decode()
        warnings.append(f"not all letters of {name!r} were read: its encoding is not known")
    return " ".join(words.split())


def _plain(value: str | email.header.Header) -> str:
    """Return a header's words decoded; one that is too long for that as it is written."""
    return str(value) if len(str(value)) > LONGEST_HEADER else _joined(email.header.decode_header(value))


def _joined(parts: Sequence[tuple[bytes | str, str | None]]) -> str:
    return "".join(
        part if isinstance(part, str) else encoding.decode(part, None if charset == "unknown-8bit" else charset)
        for part, charset in parts
    )


def _texts(part: Message, text_of: TextOf, warnings: list[str]) -> Iterator[str]:
    kind = part.get_content_type()
    if part.is_multipart() and kind == EML:
        yield from (text for inner in _inner(part) for text in _letter(inner, text_of, warnings))
    elif part.is_multipart() and kind == "multipart/alternative":
        yield _better(["\n\n".join(_texts(inner, text_of, warnings)) for inner in _inner(part)])
    elif part.is_multipart():
        yield from (text for inner in _inner(part) for text in _texts(inner, text_of, warnings))
    else:
        yield _text(part, text_of, warnings)


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []


def _better(texts: Sequence[str]) -> str:
    """Return the first of the same text's forms, the plainest, unless another holds far more."""
    longest = max(texts, key=len, default="")
    return next((text for text in texts if text.strip() and len(text) * LARGEST_SHARE >= len(longest)), longest)


def _text(part: Message, text_of: TextOf, warnings: list[str]) -> str:
    """Return what a part holds, under its name where it has one; what cannot be read is told."""
    payload = part.get_payload(decode=True)
    data, name = payload if isinstance(payload, bytes) else b"", _name(part)
    if not data.strip():
        return ""
    try:
        text = _read(part, data, name, text_of)
        if doubt := _doubt(part, data):
            warnings.append(f"{name or 'a part of the message'}: {doubt}")
    except (Invalid, Refused) as error:
        warnings.append(f"{name or 'a part of the message'} was not read: {error}")
        return ""
    return f"## {name}\n\n{text}" if name else text


def _name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
        return " ".join(_plain(name).split())
    except (Refused, email.errors.HeaderParseError, LookupError, UnicodeError):
        return "an attachment"


def _doubt(part: Message, data: bytes) -> str | None:
    if part.get_content_maintype() != "text":
        return None
    return encoding.doubt(data, part.get_content_charset() or encoding.declared_in(data))


def _read(part: Message, data: bytes, name: str, text_of: TextOf) -> str:
    charset = part.get_content_charset()
    if part.get_content_type() == "text/html":
        page = encoding.decode(data, charset or encoding.declared_in(data))
        return text_of(page.encode(), "page.html")
    if part.get_content_maintype() == "text":
        text = encoding.decode(data, charset)
        return text_of(text.encode(), name) if name.lower().endswith(TABLES) else text
    return text_of(data, name)
