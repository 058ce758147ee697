"""Every regular expression of ours is known, and those that meet foreign text read a megabyte of any in a second."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.architecture.hostile import growing_until_slow, hostile_texts
from tests.architecture.sources import PRODUCT, Source, sources

USES = frozenset("compile search match fullmatch findall finditer sub subn split".split())
HELP = (
    "make it a constant of its module and name it in FOREIGN with the method that applies it, if texts, files or "
    "replies of others reach it; else in OURS, with the reason why none does"
)
# What files, pages, messages, replies of models, or the words of a request reach, and the method that is called.
FOREIGN = {
    "services.ingestion.quotes.ENDS_SENTENCE": "search",
    "services.ingestion.quotes.BLANK_LINE": "search",
    "shared.domain.extract._END": "split",
    "shared.domain.extract._FINISHED": "search",
    "shared.domain.headings.AMOUNT": "match",
    "shared.domain.headings.YEAR": "match",
    "shared.domain.lexemes._TOKEN": "finditer",
    "shared.domain.lexemes._PART": "findall",
    "shared.domain.lexemes._PIECES": "split",
    "shared.domain.lexemes._LOOSE": "fullmatch",
    "shared.domain.lexemes._VERSION": "match",
    "shared.domain.lexemes._CODE": "search",
    "shared.domain.sentences._IMAGE": "findall",
    "shared.domain.sentences._LINK": "findall",
    "shared.domain.sentences._TAG": "findall",
    "shared.domain.sentences._NOTE": "findall",
    "shared.domain.sentences._HEADING": "match",
    "shared.domain.sentences._UNDERLINE": "match",
    "shared.domain.sentences._RULER": "match",
    "shared.domain.sentences._BULLET": "match",
    "shared.domain.sentences._EMPHASIS": "findall",
    "shared.domain.sentences._STOP": "search",
    "shared.domain.sentences._LETTER": "search",
    "shared.domain.persona._NO_SLUG": "findall",
    "shared.domain.persona._REFERRING": "findall",
    "shared.domain.prompt._SENTENCE": "split",
    "shared.domain.prompt._WORD": "findall",
    "shared.domain.tokens._PIECE": "finditer",
    "shared.domain.tokens._USUAL": "findall",
    "shared.domain.tokens._EAST_ASIAN": "findall",
    "shared.domain.prompt._MARK": "finditer",
    "shared.domain.prompt._LONE_MARK": "findall",
    "shared.domain.prompt._CODE": "split",
    "shared.domain.prompt._SENTENCE_END": "finditer",
    "shared.domain.prompt._CHAIN": "search",
    "shared.domain.prompt._GLUED": "match",
    "shared.domain.prompt._PART_ENDS": "match",
    "shared.domain.prompt._BETWEEN_MARKS": "split",
    "shared.domain.prompt._NUMBER": "findall",
    "shared.domain.template._REFERENCE": "findall",
    "shared.domain.template._LIKE_A_NAME": "findall",
    "shared.domain.template._NAME": "fullmatch",
    "shared.domain.template._VARIABLE": "search",
    "shared.domain.template._PLACE": "findall",
    "shared.domain.text._PILED": "findall",
    "shared.domain.text._MARKS": "findall",
    "shared.domain.text._UNSEEN": "findall",
    "shared.domain.text._WORDS": "findall",
    "shared.domain.triggers._TOKEN": "finditer",
    "shared.domain.triggers._VERBOSE": "search",
    "shared.domain.triggers._NUMBER": "findall",
    "shared.logs._SECRET_NAME": "search",
    "shared.logs._SECRET_TEXT": "findall",
    "shared.providers.network.addresses.NUMERIC_SPELLING": "fullmatch",
    "shared.providers.chat.answers._LINE_END": "split",
    "shared.providers.storage.blobs.KEY": "fullmatch",
    "shared.providers.storage.blobs.NAME": "fullmatch",
    "shared.providers.pdf.directions.READ_FROM_THE_LEFT": "finditer",
    "shared.providers.pdf.directions.READ_FROM_THE_RIGHT": "finditer",
    "shared.providers.formats.delimited.NAMED": "match",
    "shared.providers.network.dialect.OPTION": "search",
    "shared.providers.network.dialect._REFUSES": "search",
    "shared.providers.network.dialect.SYSTEM": "search",
    "shared.providers.network.dialect._WORD": "findall",
    "shared.providers.network.dialect._STREAM": "search",
    "shared.providers.embedding.client._WORD": "findall",
    "shared.providers.files.encoding.ESCAPES": "search",
    "shared.providers.files.encoding.DECLARED": "search",
    "shared.providers.files.encoding.NO_TEXT": "search",
    "shared.providers.files.encoding.NAMED": "match",
    "shared.providers.web.epub.FIRST_TAG": "search",
    "shared.providers.web.epub.NAMED": "findall",
    "shared.providers.web.epub.EMPTY": "findall",
    "shared.providers.chat.extractive._ROMANIAN": "findall",
    "shared.providers.chat.extractive._SPACED_WORD": "findall",
    "shared.providers.network.faults.IS_LOADING": "search",
    "shared.providers.network.faults.CONTEXT": "search",
    "shared.providers.network.faults.NO_MODEL": "search",
    "shared.providers.network.faults.KINDS": "search",
    "shared.providers.files.looks.CONTROL": "search",
    "shared.providers.files.looks.WORD": "findall",
    "shared.providers.files.looks.BETWEEN": "split",
    "shared.providers.files.looks.DRAWN": "match",
    "shared.providers.files.looks.WIDE_SIGNS": "match",
    "shared.providers.office.number_format.CONDITION": "fullmatch",
    "shared.providers.office.number_format.ELAPSED": "fullmatch",
    "shared.providers.office.number_format.MONEY": "match",
    "shared.providers.office.number_format.TOKEN": "findall",
    "shared.providers.word.numbering.PLACE": "findall",
    "shared.providers.word.word.BETWEEN_STRUCK": "findall",
    "shared.providers.formats.open_sheet.DIGITS": "findall",
    "shared.providers.formats.open_sheet.DURATION": "fullmatch",
    "shared.providers.formats.open_sheet.NUMBER": "fullmatch",
    "shared.providers.network.outbound.HOST": "fullmatch",
    "shared.providers.parsing.parser.LINE_END": "findall",
    "shared.providers.parsing.parser.CONTROL": "findall",
    "shared.providers.pdf.pdf.OBJECT": "search",
    "shared.providers.pdf.pdf.BROKEN_WORD": "findall",
    "shared.providers.pdf.pdf.LINE_END": "split",
    "shared.providers.pdf.pdf.HYPHENATED": "findall",
    "shared.providers.pdf.pdf.PART_OF_WORD": "match",
    "shared.providers.web.furniture.INVISIBLE": "search",
    "shared.providers.web.html.NUMBER": "fullmatch",
    "shared.providers.web.html.SCHEME": "match",
    "shared.providers.web.html.UNSAFE": "search",
    "shared.providers.web.html_table.SPAN": "match",
    "shared.providers.formats.mail.ESCAPED": "findall",
    "shared.providers.formats.mail.LENGTH": "match",
    "shared.providers.formats.mail.MESSAGE": "finditer",
    "shared.providers.formats.mail_forms.ADDRESS": "findall",
    "shared.providers.formats.mail_forms.BASE64": "fullmatch",
    "shared.providers.formats.mail_forms.NOT_QUOTED": "search",
    "shared.providers.formats.mail_forms.QUOTED": "findall",
    "shared.providers.formats.mail_forms.QUOTES": "match",
    "shared.providers.formats.mail_forms.SPEAKS_OF_THE_PAGE": "search",
    "shared.providers.formats.mail_forms.WORD": "findall",
    "shared.providers.web.markup.ATTRIBUTE": "match",
    "shared.providers.web.markup.ENDING": "match",
    "shared.providers.web.markup.LONG_NUMBER, ZEROS": "findall",
    "shared.providers.web.markup.NAME": "match",
    "shared.providers.web.markup.REFERENCE": "findall",
    "shared.providers.web.pictures.BASE64": "match",
    "shared.providers.web.pictures.BRACKET": "finditer",
    "shared.providers.web.pictures.DEFINITION": "finditer",
    "shared.providers.web.pictures.ENCLOSED": "match",
    "shared.providers.web.pictures.IMAGE": "findall",
    "shared.providers.web.pictures.MEDIA": "match",
    "shared.providers.web.pictures.REFERENCE": "findall",
    "shared.providers.web.pictures.STYLE": "findall",
    "shared.providers.web.pictures.TAG": "findall",
    "shared.providers.web.pictures.UNBROKEN": "match",
    "shared.providers.web.pictures.URI": "finditer",
    "shared.providers.files.encoding.CUT_OFF": "search",
    "shared.providers.web.furniture.SENTENCE": "search",
    "shared.providers.files.looks.BEYOND_ASCII": "findall",
    "shared.providers.web.pictures.BLANK_LINE": "search",
    "shared.providers.web.pictures.DRAWING": "findall",
    "shared.providers.formats.sheets.CODE": "findall",
    "shared.providers.formats.sheets.ESCAPED": "findall",
    "shared.providers.formats.sheets.PLACE": "fullmatch",
    "shared.providers.parsing.sniff.HTML_BEGINNING": "match",
    "shared.providers.parsing.sniff.PDF_HEADER": "match",
    "shared.providers.parsing.sniff.PDF_OBJECT": "search",
    "shared.providers.parsing.sniff.MAIL_BEGINNING": "match",
    "shared.providers.parsing.sniff.MAILBOX_BEGINNING": "match",
    "shared.providers.parsing.sniff.YEAR": "search",
    "shared.providers.parsing.sniff.HEADERS_END": "search",
    "shared.providers.parsing.sniff.BINARY": "search",
    "shared.providers.parsing.sniff.BLANK": "match",
    "shared.providers.stream.stream.EVENT_ID": "fullmatch",
    "shared.providers.parsing.tables.BAR": "split",
    "shared.providers.chat.thinking._MARK": "findall",
    "shared.providers.chat.thinking._CLOSING": "search",
    "shared.providers.chat.thinking._CHANNEL_END": "findall",
    "shared.providers.chat.thinking._CHANNEL": "search",
    "shared.providers.chat.thinking._OPEN_HEADER": "search",
    "shared.providers.chat.wire.REASONING_MODELS": "search",
    "gateway.http.correlation.ACCEPTABLE": "fullmatch",
}
# What none of them reaches, or not unguarded, and why.
OURS = {
    "gateway.http.addresses.PLACE": "read are the rules of our own routes",
    "gateway.http.addresses._fits": "the expression is a route's own, and the path a line of HTTP",
    "gateway.reference.documentation.operations": "read are the rules of our own routes",
    "gateway.reference.documentation._name_forms": "read are the rules of our own routes",
    "gateway.http.errors.say_integrity": "read are the names of our own constraints",
    "shared.providers.web.markup._with_text": "the name is one of a few, and a page is searched for it once",
    "shared.providers.embedding.refusals._words": "no more than the first 4000 characters of an answer are read",
    "shared.domain.triggers.fault_of": "the expression itself is foreign: it is only compiled, and its size is bounded",
    "shared.domain.triggers._found": "the expression is foreign itself: a search ends after a tenth of a second",
}


def used() -> set[str]:
    """Return the names of all constants that hold expressions, and of functions that make or apply one in passing."""
    return {name for source in sources(*PRODUCT) for name in _used(source)}


def _used(source: Source) -> Iterator[str]:
    module = source.path.removesuffix(".py").replace("/", ".")
    for statement in source.tree.body:
        yield from (f"{module}.{_name(statement, node)}" for node in ast.walk(statement) if _is_use(node))


def _is_use(node: ast.AST) -> bool:
    of = node.func if isinstance(node, ast.Call) else None
    holder = of.value if isinstance(of, ast.Attribute) and of.attr in USES else None
    return isinstance(holder, ast.Name) and holder.id in ("re", "regex")


def _name(statement: ast.stmt, use: ast.AST) -> str:
    if isinstance(statement, ast.Assign):
        return ", ".join(ast.unparse(target) for target in statement.targets).strip("()")
    functions = [node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef)]
    return next((each.name for each in reversed(functions) if use in ast.walk(each)), "its top")


def test_every_expression_is_known() -> None:
    known = {*FOREIGN, *OURS}
    assert used() - known == set(), HELP
    assert known - used() == set(), "it is gone: take it out of the table"


def test_no_expression_hides_behind_another_name() -> None:
    imported = [node for source in sources(*PRODUCT) for node in source.find(ast.ImportFrom, ast.Import)]
    assert [ast.unparse(node) for node in imported if _hides(node)] == []


def _hides(node: Any) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in ("re", "regex")
    return any(alias.name in ("re", "regex") and alias.asname for alias in node.names)


@pytest.mark.parametrize("name", FOREIGN)
def test_an_expression_reads_a_megabyte_of_hostile_text_in_a_second(name: str) -> None:
    for pattern in held(name):
        slow = growing_until_slow(partial(read, pattern, FOREIGN[name]), hostile_texts(pattern))
        assert slow is None, f"{pattern.pattern} takes too long to read {slow}"


def test_an_expression_that_words_at_many_places_make_slow_is_found_out() -> None:
    pattern = re.compile(r"From \S++ [^\n]*?\d{4}\b[^\n]*+\n[!-9;-~]++:")
    assert growing_until_slow(partial(read, pattern, "match"), hostile_texts(pattern)) is not None


def read(pattern: re.Pattern[Any], method: str, text: str) -> None:
    """Apply an expression, and take all that it finds."""
    found = getattr(pattern, method)(text.encode(errors="replace") if isinstance(pattern.pattern, bytes) else text)
    if method == "finditer":
        assert all(found)


def held(name: str) -> list[re.Pattern[Any]]:
    """Return the expressions that a constant, or several made at once, hold."""
    first, *others = name.split(", ")
    module, _, constant = first.rpartition(".")
    return [
        found for each in (constant, *others) for found in _patterns(getattr(importlib.import_module(module), each))
    ]


def _patterns(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _patterns(each)
