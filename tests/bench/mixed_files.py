"""Fifty files as people have them: eight languages, eleven formats, of one sentence to 300 pages, and some broken."""

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import NamedTuple

from fpdf import FPDF

from tests.bench.mixed_words import LANGUAGES, paragraphs, sentences
from tests.fakes.documents import docx as word_document
from tests.fakes.documents import epub as book
from tests.fakes.documents import zipped

FILES, BROKEN = 50, 4
SIZES = (1, 3, 12, 60, 240, 800, 1600)  # sentences
PAGES, SENTENCES_PER_PAGE = 300, 30
LATIN_1 = ("en", "de", "es")  # what a PDF's own fonts can write, without a font of this machine
OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
Writer = Callable[[Sequence[str]], bytes]


class Mixed(NamedTuple):
    """A file, the collection it is for, and whether it is whole."""

    name: str
    data: bytes
    collection: str
    is_whole: bool = True


def pdf(said: Sequence[str], *, password: str = "", per_page: int = SENTENCES_PER_PAGE) -> bytes:
    """Write pages of Latin text."""
    file = FPDF()
    file.set_font("Helvetica", size=11)
    if password:
        file.set_encryption(owner_password=f"{password}!", user_password=password)
    for page in paragraphs(said, per_page):
        file.add_page()
        file.multi_cell(0, 5, " ".join(page))
    return bytes(file.output())


def _docx(said: Sequence[str]) -> bytes:
    return word_document([" ".join(each) for each in paragraphs(said)])


def _epub(said: Sequence[str]) -> bytes:
    pages = enumerate(paragraphs(said, 100))
    return book({f"{n}.xhtml": f"<html><body>{_in_tags('p', each)}</body></html>" for n, each in pages})


def _html(said: Sequence[str]) -> bytes:
    body = f"<h1>{said[0]}</h1>{_in_tags('p', said)}"
    return f"<!doctype html><html><head><meta charset='utf-8'></head><body>{body}</body></html>".encode()


def _in_tags(tag: str, said: Sequence[str]) -> str:
    return "".join(f"<{tag}>{' '.join(each)}</{tag}>" for each in paragraphs(said))


def _markdown(said: Sequence[str]) -> bytes:
    parts = (f"## {each[0]}\n\n{' '.join(each)}" for each in paragraphs(said, 40))
    return "\n\n".join(parts).encode()


def _text(said: Sequence[str]) -> bytes:
    return "\n\n".join(" ".join(each) for each in paragraphs(said)).encode()


def quotes(said: Sequence[str]) -> bytes:
    """Write a quote a line."""
    return "".join(json.dumps({"text": each}, ensure_ascii=False) + "\n" for each in said).encode()


def _table(said: Sequence[str]) -> bytes:
    table = io.StringIO()
    csv.writer(table).writerows([["number", "text"], *enumerate(said, 1)])
    return table.getvalue().encode()


def _mail(said: Sequence[str]) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["Message-ID"] = said[0], "ana@example.org", "<1@example.org>"
    message.set_content(_text(said).decode())
    return message.as_bytes()


def _rtf(said: Sequence[str]) -> bytes:
    body = "\\par ".join(" ".join(each) for each in paragraphs(said))
    return (r"{\rtf1\ansi " + "".join(map(_in_rtf, body)) + "}").encode("ascii")


def _in_rtf(letter: str) -> str:
    return letter if letter.isascii() else f"\\u{ord(letter) - (0x10000 if ord(letter) > 0x7FFF else 0)}?"


def _odt(said: Sequence[str]) -> bytes:
    spaces = f'xmlns:office="{OFFICE}:office:1.0" xmlns:text="{OFFICE}:text:1.0"'
    body = f"<office:body><office:text>{_in_tags('text:p', said)}</office:text></office:body>"
    content = f"<office:document-content {spaces}>{body}</office:document-content>"
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


WRITERS: dict[str, Writer] = {
    "pdf": pdf, "docx": _docx, "epub": _epub, "html": _html, "md": _markdown, "txt": _text, "jsonl": quotes,
    "csv": _table, "eml": _mail, "rtf": _rtf, "odt": _odt,
}  # fmt: skip
QUOTES = ("jsonl", "csv")


def write(scale: float = 1.0) -> list[Mixed]:
    """Write them all; `scale` makes all but the smallest of them longer or shorter."""
    chance = random.Random(50)
    whole = FILES - BROKEN - 1
    return [_whole(number, scale, chance) for number in range(whole)] + [_longest(scale, chance), *_broken(chance)]


def _whole(number: int, scale: float, chance: random.Random) -> Mixed:
    kind = list(WRITERS)[number % len(WRITERS)]
    languages = LATIN_1 if kind == "pdf" else LANGUAGES
    language, size = languages[number % len(languages)], max(1, int(SIZES[number % len(SIZES)] * scale))
    name = f"{number:02}-{language}-{size}.{kind}"
    return Mixed(name, WRITERS[kind](sentences(language, size, chance)), "quotes" if kind in QUOTES else "works")


def _longest(scale: float, chance: random.Random) -> Mixed:
    pages = max(1, int(PAGES * scale))
    return Mixed(f"{pages}-pages.pdf", pdf(sentences("en", pages * SENTENCES_PER_PAGE, chance)), "works")


def _broken(chance: random.Random) -> list[Mixed]:
    said = sentences("en", 90, chance)
    whole = pdf(said)
    found = {
        "cut-off.pdf": whole[: len(whole) // 3],
        "locked.pdf": pdf(said, password="unknown"),
        "empty.txt": b"",
        "program.pdf": b"MZ\x90\0" + bytes(60),
    }
    return [Mixed(name, data, "works", is_whole=False) for name, data in found.items()]
