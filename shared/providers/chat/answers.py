"""The body of an answer as documents: what it is, its bytes tell, for its content type may be wrong."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from shared.errors import PersonaeError, Rejected, Transient
from shared.providers.network import faults

MAX_EVENT_BYTES = 4 << 20
LONGEST_REFUSAL = 64 << 10
KINDS: dict[type, str] = {list: "an empty list", str: "words", bool: "true or false"}
DONE = "[DONE]"
BOM = b"\xef\xbb\xbf"
ENDLESS = f"the chat server sends an event without end: more than {MAX_EVENT_BYTES >> 20} MiB; check PERSONAE_CHAT_URL"
CHECK = "check PERSONAE_CHAT_URL, which ends in /v1"
NOT_JSON = f"the chat server does not stream in OpenAI's form, but what is no JSON: {CHECK}"
SILENT = "the chat server closed the connection without a word of a reply: its own log may tell why"
HALF = "the chat server broke off in the middle of its JSON"
PAGE = f"the chat server answers with a web page, as a login or a proxy before it may: {CHECK}"
PLAIN = f"the chat server answers with plain text, which is no reply: {CHECK}"
LOADING = "the chat server is still loading its model"
_FIELDS = (b":", b"data", b"event", b"id", b"retry")
_JSON = b'{["-0123456789ntf'
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")  # a CR at the end of a chunk may be half of a CRLF
# What marks an answer in another vendor's own form, and what to do about it.
OTHERS = (
    ({"done"}, "in Ollama's own form: set PERSONAE_CHAT_URL to its address with /v1 behind it"),
    ({"candidates"}, "in Gemini's own form: set PERSONAE_CHAT_URL to its OpenAI-compatible address"),
    ({"content", "stop_reason"}, "in Anthropic's own form: set PERSONAE_CHAT_URL to its OpenAI-compatible address"),
    ({"content_block"}, "in Anthropic's own form: set PERSONAE_CHAT_URL to its OpenAI-compatible address"),
    ({"data"}, "with something else, as a model's vectors or a list of models: check the path in PERSONAE_CHAT_URL"),
)


class Event(NamedTuple):
    """The data of one event, and its kind where the server names one."""

    data: str
    kind: str = ""


def events_of(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield an answer's events: those of a stream, or JSON as one document or a line each.

    Raises Rejected for what is neither, Transient for what has no end.
    """
    begun, rest = _peeked(chunks)
    if not begun:
        raise Transient(SILENT)
    if any(begun.startswith(field) or field.startswith(begun) for field in _FIELDS):
        yield from read_events(rest)
    elif begun[:1] in [bytes([byte]) for byte in _JSON]:
        yield from _json_events(_whole(rest))
    else:
        raise _of_text(_whole(rest))


def _peeked(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return how a body begins, and all of it, without white space before it."""
    rest, begun = iter(chunks), b""
    for chunk in rest:
        begun = (begun + chunk).removeprefix(BOM).lstrip()
        if begun and not BOM.startswith(begun):
            break
    return begun, chain([begun], rest)


def _whole(chunks: Iterable[bytes]) -> str:
    pieces, size = [], 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > MAX_EVENT_BYTES:
            raise Transient(ENDLESS)
    return b"".join(pieces).decode("utf-8", "replace").strip()


def _json_events(body: str) -> Iterator[Event]:
    """Yield a whole reply and its end, where the server ignored `stream`, or each line of many."""
    with suppress(ValueError, RecursionError):
        json.loads(body)
        yield from (Event(body), Event(DONE))
        return
    lines = _unbroken([line for line in body.split("\n") if line.strip()])
    if not lines or not _is_json(lines[0]):
        raise _of_text(body)
    yield from map(Event, lines)


def _unbroken(lines: list[str]) -> list[str]:
    """Return the documents of a connection that may have ended in the middle of the last."""
    return lines if not lines or lines[-1] == DONE or _is_json(lines[-1]) else lines[:-1]


def _of_text(body: str) -> PersonaeError:
    """Return what is wrong with a body that is neither events nor JSON."""
    if body.startswith("<"):
        return Rejected(PAGE)
    if body[:1] in ("{", "["):
        return Rejected(NOT_JSON) if _is_deep(body) else Transient(HALF)
    return Transient(LOADING) if faults.IS_LOADING.search(body) else Rejected(PLAIN)


def beginning(chunks: Iterable[bytes]) -> str:
    """Return the beginning of a text that may have no end."""
    kept = b""
    for chunk in chunks:
        kept += chunk[:LONGEST_REFUSAL]
        if len(kept) >= LONGEST_REFUSAL:
            break
    return kept.decode("utf-8", "replace")


def documents(data: str) -> list[str]:
    """Return an event's JSON; lines that are not JSON together are events of a server that leaves no blank lines."""
    return [data] if _is_json(data) else [line for line in data.split("\n") if line.strip()]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_deep(text: str) -> bool:
    with suppress(ValueError):
        try:
            json.loads(text)
        except RecursionError:
            return True
    return False


def parse(data: str) -> dict[str, Any]:
    """Return a document's object, or the first of a list; raises Rejected."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Rejected(NOT_JSON) from error
    if isinstance(said, list) and said:
        said = said[0]
    if not isinstance(said, dict):
        kind = "null" if said is None else KINDS.get(type(said), "a number")
        raise Rejected(f"the chat server does not stream in OpenAI's form, but {kind} in JSON: {CHECK}")
    return said


def error_in(said: dict[str, Any]) -> Any:
    """Return the error that an answer tells in the place of a reply, in whatever form; None where there is none."""
    for name in ("error", "errors"):
        if said.get(name):
            return said[name]
    if said.get("choices"):
        return None
    code = said.get("code") or said.get("status_code") or said.get("status")
    is_error = said.get("object") == "error" or said.get("type") == "error" or said.get("success") is False
    return said if is_error or (isinstance(code, int) and code >= 400) or code == "error" else None


def strange(said: dict[str, Any]) -> PersonaeError:
    """Return what is wrong with an answer that holds no choices and no error."""
    for marks, words in OTHERS:
        if marks <= said.keys():
            return Rejected(f"the chat server answers {words}")
    if faults.IS_LOADING.search(json.dumps(said)[:1000]):
        return Transient(LOADING)
    names = ", ".join(f"`{name[:20]}`" for name in sorted(said)[:3])
    return Rejected(f"the chat server answers without a reply in OpenAI's form, but with {names or 'nothing'}: {CHECK}")


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield each event; chunks may end anywhere, inside a character too. Raises Transient when one is endless.

    Lines end in LF, CR or both, and in nothing else: str.splitlines would cut JSON at U+2028.
    """
    data: list[bytes] = []
    size, kind = 0, ""
    for number, line in enumerate(_lines(chunks)):
        line = line if number else line.removeprefix(BOM)
        if line.startswith(b"data:"):
            data.append(line[5:].strip())
            size += len(data[-1]) + 1
        elif line.startswith(b"event:"):
            kind = line[6:].strip().decode("utf-8", "replace")
        elif not line:
            if data:
                yield Event(b"\n".join(data).decode("utf-8", "replace"), kind)
            data, size, kind = [], 0, ""
        if size > MAX_EVENT_BYTES:
            raise Transient(ENDLESS)
    if data:  # the last event may be cut off, and without blank lines all are one
        last = b"\n".join(data).decode("utf-8", "replace")
        yield from [Event(last, kind)] if kind else map(Event, _unbroken(documents(last)))


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines; one that comes in many chunks is joined once, not at each of them."""
    held: list[bytes] = []
    size = 0
    for chunk in _whole_ends(chunks):
        first, *others = _LINE_END.split(chunk)
        held.append(first)
        size += len(first)
        if others:
            yield b"".join(held)
            yield from others[:-1]
            held, size = [others[-1]], len(others[-1])
        if size > MAX_EVENT_BYTES:
            raise Transient(ENDLESS)
    yield b"".join(held)


def _whole_ends(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks so that none ends in a CR, which may be half of a CRLF."""
    held = b""
    for chunk in chunks:
        joined = held + chunk
        held = b"\r" if joined.endswith(b"\r") else b""
        yield joined.removesuffix(held) if held else joined
    yield held.replace(b"\r", b"\n")
