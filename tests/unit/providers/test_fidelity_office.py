"""The words of Word documents and books come out whole and in order: headings, lists, tables, notes, many languages."""

import random
from difflib import SequenceMatcher

import pytest

from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import DOCX, EPUB
from tests.fakes.documents import DOCX_LINKS, DOCX_TYPES, WORD, epub, zipped

SHARE = 0.99
LANGUAGES = {
    "en": "lamp oil keeper harbour ledger fog well-known 1890 340 ERR-4711 mast's 12.5 noted; seen. (brass)",
    "ro": "țărm lumină înălțime șoaptă ceas pădure mâine așadar 1890 „vânt” ieri. apoi; câine",
    "de": "Leuchtturm Öl Wärter Straße über größer Nebel 1890 „Glocke“ Übermut, Tür; Fuß.",
    "fr": "été près là châtelaine œuvre garçon naïve phare « huile » l'île; Noël, où.",
    "ru": "маяк масло смотритель туман журнал колокол 1890 прилив; верёвка, ёлка. объём",
    "el": "φάρος λάδι φύλακας ομίχλη βιβλίο καμπάνα 1890 νερό· σχοινί, νησί. ώρα",
    "ja": "灯台 番人 日記 霧の夜 鐘が鳴る 油を注ぐ 千八百九十年 カモメ、 港へ。 はじめに",
    "ar": "منارة زيت حارس ضباب دفتر جرس ١٨٩٠ حبل، بحر. ميناء",
}
KINDS = ("heading", "text", "list", "table", "text", "note")


def pieces(language: str) -> list[tuple[str, list[list[str]]]]:
    """Return parts of a text by their kind, each of three rows of words."""
    chance, vocabulary = random.Random(language), LANGUAGES[language].split()
    return [(kind, [chance.choices(vocabulary, k=6) for _ in range(3)]) for kind in KINDS * 12]


def said(parts: list[tuple[str, list[list[str]]]]) -> list[str]:
    """Return the words as they should be read, where the notes stand behind the text."""
    order = sorted(parts, key=lambda part: part[0] == "note")
    return [word for _, rows in order for row in rows for word in row]


def share_in_order(words: list[str], text: str) -> float:
    read = text.replace("|", " ").replace("**", "").replace("\\", "").split()
    blocks = SequenceMatcher(None, words, read, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(words)


def run(words: list[str]) -> str:
    """Write words as runs that break and tabulate, as an editor leaves them."""
    first, *rest = words
    return f"<w:r><w:t>{first}</w:t></w:r><w:r><w:tab/><w:t>{rest[0]}</w:t><w:br/><w:t>{' '.join(rest[1:])}</w:t></w:r>"


def paragraph(words: list[str], look: str = "") -> str:
    return f"<w:p><w:pPr>{look}</w:pPr>{run(words)}</w:p>"


LOOKS = {
    "heading": '<w:pStyle w:val="Heading2"/>',
    "list": '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>',
    "text": "",
}


def as_word(kind: str, rows: list[list[str]], number: int) -> str:
    if kind == "note":
        return f'<w:p><w:r><w:footnoteReference w:id="{number}"/></w:r></w:p>'
    if kind == "table":
        cells = ("".join(f"<w:tc>{paragraph(row[at : at + 3])}</w:tc>" for at in (0, 3)) for row in rows)
        return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"
    return "".join(paragraph(row, LOOKS[kind]) for row in rows)


def word_document(parts: list[tuple[str, list[list[str]]]]) -> bytes:
    body = "".join(as_word(*part, number) for number, part in enumerate(parts))
    notes = "".join(
        f'<w:footnote w:id="{number}">{"".join(map(paragraph, rows))}</w:footnote>'
        for number, (kind, rows) in enumerate(parts)
        if kind == "note"
    )
    whole = {"document": f"<w:body>{body}</w:body>", "footnotes": notes}
    written = {f"word/{name}.xml": f'<w:{name} xmlns:w="{WORD}">{part}</w:{name}>' for name, part in whole.items()}
    return zipped({"[Content_Types].xml": DOCX_TYPES, "_rels/.rels": DOCX_LINKS} | written)


def as_page(kind: str, rows: list[list[str]]) -> str:
    lines = [f"<b>{row[0]}</b> {row[1]}<br/>{' '.join(row[2:])}" for row in rows]
    if kind == "table":
        cells = (f"<td>{' '.join(row[:3])}</td><td>{' '.join(row[3:])}</td>" for row in rows)
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
    if kind == "list":
        return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
    tag = {"heading": "h2", "text": "p", "note": "aside"}[kind]
    return "".join(f"<{tag}>{line}</{tag}>" for line in lines)


def book(parts: list[tuple[str, list[list[str]]]]) -> bytes:
    pages = [as_page(*part) for part in sorted(parts, key=lambda part: part[0] == "note")]
    chapters = {f"text/ch%20{at}.xhtml": "".join(pages[at : at + 9]) for at in range(0, len(pages), 9)}
    start = (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>c</title></head>'
    )
    return epub({href: f"{start}<body>{body}</body></html>" for href, body in chapters.items()})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_a_word_document_come_out_in_order(language: str) -> None:
    parts = pieces(language)
    assert share_in_order(said(parts), KreuzbergParser().parse(word_document(parts), DOCX).text) >= SHARE


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_a_book_come_out_in_order(language: str) -> None:
    parts = pieces(language)
    parsed = KreuzbergParser().parse(book(parts), EPUB)
    assert not parsed.warnings
    assert share_in_order(said(parts), parsed.text) >= SHARE
