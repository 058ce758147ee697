"""What reads foreign text by other means than one expression takes time in proportion to it, however it is made."""

import io
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from services.ingestion import quotes
from shared.domain import extract, lexemes, prompt, sentences, text, tokens
from shared.domain.prompt import Said
from shared.errors import Invalid, Refused
from shared.providers.chat import answers, thinking
from shared.providers.files import encoding
from shared.providers.formats import mail, open_document, sheets
from shared.providers.parsing import chunker, sniff
from shared.providers.pdf import directions, pdf
from shared.providers.web import epub
from shared.providers.word import docx
from tests.fakes.documents import WORD
from tests.fakes.office import book

SIZE = 150_000  # characters: what grows with their square takes minutes, and the rest tenths of a second
SECONDS = 6.0  # of computing
UNITS = {
    "one letter": "a",
    "a letter and a sign": "a-",
    "no spaces": "abc1",
    "line ends": "\n",
    "lines of a letter": "a\n",
    "blanks": " ",
    "combining marks": "\u0301",
    "letters with many marks": "a" + "\u0301" * 50,
    "marks out of order": "\u0315\u0300\u05ae",
    "table rows": "| a | b |\n",
    "headings": "# a\n",
    "opened links": "![[",
    "opened tags": "<a ",
    "ends of sentences": "a. ",
    "backticks": "`a`",
    "quotation marks": '"a',
    "an unspaced script": "\u4e2d",
    "a script from right to left": "\u05d0 1",
    "brackets": "()",
    "numbers": "1,",
    "addresses": "a.b/c-d@",
    "thoughts": "<think>a</think>",
    "channels": "<|channel|>",
    "quotes in quotes": '"a""b",1\n',
    "encoded words": "=?utf-8?q?a?= ",
    "parts of a mail": "--b\n\na\n",
    "deletions": "<w:del/><w:p/>",
    "notes": '<w:footnote w:id="1"/>',
}


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def split(said: str) -> list[Any]:
    splitter = thinking.ThinkSplitter()
    return [*splitter.feed(said), *splitter.flush()]


PARTED = "Content-Type: multipart/mixed; boundary=b\n\n"
WORDS = f'<w:document xmlns:w="{WORD}"><w:body>'
OPEN = f'<w:a xmlns:w="{WORD}"><body><text>'
READERS: dict[str, Callable[[str], Any]] = {
    "fold": text.fold,
    "keywords": text.keywords,
    "content_hash": text.content_hash,
    "lexemes": lexemes.lexemes,
    "as_vector": lambda said: lexemes.as_vector("", said),
    "sought": lexemes.sought,
    "paragraphs": sentences.paragraphs,
    "sentences": lambda said: extract.sentences([said]),
    "summarise": lambda said: extract.summarise([Said("user", said)], 200),
    "answer": lambda said: extract.answer("a b 1", [(1, said)]),
    "count_roughly": tokens.count_roughly,
    "build": lambda said: prompt.build("", said, budget=1000),
    "marked": lambda said: prompt.marked(said, 5),
    "without_empty_marks": lambda said: prompt.without_empty_marks(said, 2),
    "cited": lambda said: prompt.cited(said, [prompt.Passage("1", said[:1000])]),
    "chunk": lambda said: chunker.chunk(said, 480, 120),
    "decode": lambda said: encoding.decode(said.encode()),
    "decode two bytes a letter": lambda said: encoding.decode(said.encode("utf-16-le")),
    "decode a byte a letter": lambda said: encoding.decode(said.encode("cp1252", "replace") + b"\xe9"),
    "sniff": lambda said: sniff.sniff(said.encode(), "a.txt"),
    "sniff a page": lambda said: sniff.sniff(said.encode(), "a.html"),
    "mail": lambda said: mail.read(f"From: a@b.c\n\n{said}".encode(), lambda data, name: ""),
    "parts of a mail": lambda said: mail.read(f"{PARTED}{said}".encode(), lambda data, name: ""),
    "headers of a mail": lambda said: mail.read(f"Subject: {said}\n\na".encode(), lambda data, name: ""),
    "a chapter": epub.as_html,
    "a Word document": lambda said: docx.read(zipped(**{docx.MAIN: f"{WORDS}{said}</w:body></w:document>"})),
    "an OpenDocument": lambda said: open_document.read(zipped(**{"content.xml": f"{OPEN}{said}</text></body></w:a>"})),
    "cells of a sheet": lambda said: sheets.read(
        book({"A": f"<row><c t='inlineStr'><is><t>{said}</t></is></c></row>"})
    ),
    "a page of a PDF": lambda said: pdf.mend_page(said, pdf.words_of([said])),
    "broken words": lambda said: pdf.mend_page(said.replace("a", "a\x02"), frozenset()),
    "fields": lambda said: pdf.with_fields(said, [("name", said[: SIZE // 2]), ("other", said[:100])]),
    "directions": lambda said: directions.in_reading_order(said, page_is_right_to_left=True),
    "quotes": lambda said: list(quotes.from_text(said)),
    "rows": lambda said: list(quotes.from_table(f"text,b\n{said}", said)),
    "thoughts": split,
    "events": lambda said: list(answers.read_events([f"data:{said}".replace("\n", "\ndata:").encode()])),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_long_hostile_text_is_read_in_seconds(reader: str) -> None:
    slow = {name: took for name in UNITS if (took := seconds(READERS[reader], name)) > SECONDS}
    assert slow == {}


def seconds(read: Callable[[str], Any], unit: str) -> float:
    said = UNITS[unit] * (SIZE // len(UNITS[unit]))
    started = time.process_time()
    with suppress(Invalid, Refused):
        read(said)
    return time.process_time() - started
