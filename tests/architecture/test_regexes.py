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
    "shared.providers.addresses.NUMERIC_SPELLING": "fullmatch",
    "shared.providers.blobs.KEY": "fullmatch",
    "shared.providers.blobs.NAME": "fullmatch",
    "shared.providers.directions.READ_FROM_THE_LEFT": "finditer",
    "shared.providers.directions.READ_FROM_THE_RIGHT": "finditer",
    "shared.providers.docx.OWN_PREFIX": "fullmatch",
    "shared.providers.embedding._WORD": "findall",
    "shared.providers.encoding.ESCAPES": "search",
    "shared.providers.encoding.DECLARED": "search",
    "shared.providers.encoding.NO_TEXT": "search",
    "shared.providers.epub.FIRST_TAG": "search",
    "shared.providers.epub.NAMED": "findall",
    "shared.providers.epub.EMPTY": "findall",
    "shared.providers.extractive._ROMANIAN": "findall",
    "shared.providers.extractive._SPACED_WORD": "findall",
    "shared.providers.faults.CONTEXT": "search",
    "shared.providers.looks.CONTROL": "search",
    "shared.providers.looks.WORD": "findall",
    "shared.providers.looks.WIDE_SIGNS": "match",
    "shared.providers.outbound.HOST": "fullmatch",
    "shared.providers.parser.LINE_END": "findall",
    "shared.providers.parser.CONTROL": "findall",
    "shared.providers.pdf.OBJECT": "search",
    "shared.providers.pdf.BROKEN_WORD": "findall",
    "shared.providers.pdf.LINE_END": "split",
    "shared.providers.pdf.HYPHENATED": "findall",
    "shared.providers.pdf.PART_OF_WORD": "match",
    "shared.providers.furniture.INVISIBLE": "search",
    "shared.providers.html.NUMBER": "fullmatch",
    "shared.providers.html.SCHEME": "match",
    "shared.providers.html.UNSAFE": "search",
    "shared.providers.html_table.SPAN": "match",
    "shared.providers.markup.ATTRIBUTE": "match",
    "shared.providers.markup.ENDING": "match",
    "shared.providers.markup.LONG_NUMBER, ZEROS": "findall",
    "shared.providers.markup.NAME": "match",
    "shared.providers.markup.REFERENCE": "findall",
    "shared.providers.pictures.BASE64": "match",
    "shared.providers.pictures.BRACKET": "finditer",
    "shared.providers.pictures.DEFINITION": "finditer",
    "shared.providers.pictures.ENCLOSED": "match",
    "shared.providers.pictures.IMAGE": "findall",
    "shared.providers.pictures.MEDIA": "match",
    "shared.providers.pictures.REFERENCE": "findall",
    "shared.providers.pictures.STYLE": "findall",
    "shared.providers.pictures.TAG": "findall",
    "shared.providers.pictures.UNBROKEN": "match",
    "shared.providers.pictures.URI": "finditer",
    "shared.providers.encoding.CUT_OFF": "search",
    "shared.providers.furniture.SENTENCE": "search",
    "shared.providers.looks.BEYOND_ASCII": "findall",
    "shared.providers.pictures.BLANK_LINE": "search",
    "shared.providers.pictures.DRAWING": "findall",
    "shared.providers.sniff.HTML_BEGINNING": "match",
    "shared.providers.sniff.PDF_HEADER": "match",
    "shared.providers.sniff.PDF_OBJECT": "search",
    "shared.providers.sniff.MAIL_BEGINNING": "match",
    "shared.providers.sniff.BINARY": "search",
    "shared.providers.sniff.BLANK": "match",
    "shared.providers.stream.EVENT_ID": "fullmatch",
    "shared.providers.thinking._MARK": "findall",
    "shared.providers.thinking._CLOSING": "search",
    "shared.providers.thinking._CHANNEL_END": "findall",
    "shared.providers.thinking._CHANNEL": "search",
    "shared.providers.thinking._OPEN_HEADER": "search",
    "shared.providers.wire._LINE_END": "split",
    "shared.providers.wire.REASONING_MODELS": "search",
    "gateway.correlation.ACCEPTABLE": "fullmatch",
}
# What none of them reaches, or not unguarded, and why.
OURS = {
    "gateway.addresses.PLACE": "read are the rules of our own routes",
    "gateway.addresses._fits": "the expression is a route's own, and the path a line of HTTP",
    "gateway.documentation.operations": "read are the rules of our own routes",
    "gateway.documentation._name_forms": "read are the rules of our own routes",
    "gateway.errors.say_integrity": "read are the names of our own constraints",
    "shared.providers.markup._with_text": "the name is one of a few, and a page is searched for it once",
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
