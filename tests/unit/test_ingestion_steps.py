"""Cutting into passages: JSON lines one by one, and prose into pieces that can be searched."""

import json
import time

import pytest

from services import leases
from services.ingestion import quotes, steps
from services.ingestion.quotes import LONGEST_QUOTE
from services.ingestion.steps import ParsingTools
from shared.domain.workflow import ArtifactType, WorkflowStepType
from shared.errors import Invalid
from shared.models import RunStep
from shared.providers.parsing.parser import FakeParser, KreuzbergParser, Page, Parsed
from shared.providers.parsing.sniff import CSV, JSONL, PLAIN
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.work.engine import Claim
from shared.queries.workflows.advance import StepContext

ROOTS = dict.fromkeys((ArtifactType.PARSED_MD, ArtifactType.PARSED_JSON, ArtifactType.CHUNKS), "1")
LARGEST_VECTOR = 1024 * 1024  # bytes of one Postgres tsvector


def passages_of(text: str, mime_type: str, collection: str = "works") -> list[str]:
    """Parse and cut a text; return the passages that are stored."""
    tools = ParsingTools(FakeBlobs(), FakeParser())
    config = {"chunk_size": 480, "chunk_overlap": 64, "collection": collection}
    key = tools.blobs.put(text.encode()).key
    step = StepContext(1, WorkflowStepType.CHUNK, key, mime_type, {}, config, ROOTS, {}, "default")
    steps.parse(step, tools)
    steps.chunk(step, tools)
    return [row["text"] for row in json.loads(tools.blobs.get_artifact(key, ArtifactType.CHUNKS, "1"))]


def line(quote: str) -> str:
    return json.dumps({"text": quote})


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        pytest.param("x" * (LONGEST_QUOTE + 1), "line 2 is too long a quote: 20001 characters", id="too long"),
        pytest.param("half \ud83d", "line 2 holds half a character", id="an unpaired surrogate"),
        pytest.param("\0", 'line 2 has neither "text" nor "quote", so no .* a line is {"text"', id="nothing but NUL"),
    ],
)
def test_a_quote_that_cannot_be_stored_fails_its_file_by_its_number(quote: str, words: str):
    with pytest.raises(Invalid, match=words):
        passages_of(f"{line('One.')}\n{line(quote)}", JSONL)


def test_a_quote_is_kept_up_to_its_limit_and_without_nul():
    assert passages_of(f"{line('x' * LONGEST_QUOTE)}\n{line('a' + chr(0) + 'b')}", JSONL) == ["x" * LONGEST_QUOTE, "ab"]


@pytest.mark.parametrize("other", ["", " ", "\0", None, 1, []])
@pytest.mark.parametrize("key", ["text", "quote"])
def test_a_quote_stands_under_either_key(key: str, other: object):
    entry = {"text": other, "quote": other} | {key: "the real one"}
    assert passages_of(json.dumps(entry), JSONL) == ["the real one"]


@pytest.mark.parametrize(
    "text", ["x" * 300_000, "word " * 60_000, "ﷺ" * 100_000], ids=["no space", "words", "ligatures"]
)
def test_no_passage_comes_near_the_largest_search_vector(text: str):
    assert max(len(passage.encode()) for passage in passages_of(text, PLAIN)) < LARGEST_VECTOR / 100


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        pytest.param("One\nTwo \n One", PLAIN, ["One", "Two"], id="a line each"),
        pytest.param("One,\nby the sea.\n\n\nTwo", PLAIN, ["One,\nby the sea.", "Two"], id="a paragraph each"),
        pytest.param("One.\nTwo!\n\nThree? — Ana", PLAIN, ["One.", "Two!", "Three? — Ana"], id="lines in groups"),
        pytest.param('id,Text\n1,"One, by\nthe sea"\n\n2,Two', CSV, ["One, by\nthe sea", "Two"], id="a row each"),
        pytest.param("quote;text\nOne;\n;Two", CSV, ["One", "Two"], id="either column"),
        pytest.param("sep=;\nby;text\nAnn;One, by the sea", CSV, ["One, by the sea"], id="a named delimiter"),
        pytest.param("# of 1931\nText\tby\nOne\tAnn\nTwo\tAnn", CSV, ["One", "Two"], id="below a comment"),
        pytest.param("Quotes;;\nn;text;by\n1;One;Ann\n2;Two;Ann", CSV, ["One", "Two"], id="below a title"),
    ],
)
def test_quotes_are_found_in_texts_and_tables(text: str, kind: str, found: list[str]):
    assert passages_of(text, kind, "quotes") == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a,b\n1,2", "names a column text or quote", id="no column"),
        pytest.param("text,by\nOne,Ana\n,Ana", "line 3 holds no quote", id="a row without one"),
        pytest.param("by,text\nAnn,One\nAnn,Two, by the sea", "line 3 has more cells", id="a comma in a quote"),
        pytest.param("text\n" + "x" * 200_000, "line 2 is too long", id="an endless cell"),
    ],
)
def test_a_table_that_holds_no_quotes_fails_with_what_it_should_hold(text: str, words: str):
    with pytest.raises(Invalid, match=words):
        passages_of(text, CSV, "quotes")


def test_a_text_among_works_is_cut_as_prose():
    assert passages_of("One.\nTwo.", PLAIN) == ["One.\nTwo."]


@pytest.mark.parametrize("quote", ["q|{}", "q\n{}", "q *{}*", "plain {}"])
def test_each_row_of_a_table_is_placed_by_its_own_line(quote: str):
    rows = [quote.format(number) for number in range(50_000)]
    table = "text,by\n" + "".join(f'"{row}",Ana\n' for row in rows)
    text = "| text | by |\n| --- | --- |\n" + "".join(f"| {number} | Ana |\n" for number in range(50_000))
    started = time.process_time()
    found = list(quotes.from_table(table, text))
    assert time.process_time() - started < 3
    assert [chunk.text for chunk in found] == rows
    assert text[found[-1].start : found[-1].end] == "| 49999 | Ana |"


def test_the_parser_and_the_quotes_count_the_rows_of_a_table_alike():
    table = 'text;by\n"a|b";x\n;\n\n "two";y\n ; \n"one\nline";z\n"the ""last""";\n'
    text = KreuzbergParser().parse(table.encode(), CSV).text
    places = [(chunk.text, text[chunk.start : chunk.end]) for chunk in quotes.from_table(table, text)]
    assert places[0] == ("a|b", "| a\\|b | x |")
    assert places[2:] == [("one\nline", "| one line | z |"), ('the "last"', 'the "last"')]


def test_the_page_of_each_passage_is_found_without_passing_all_pages():
    parsed = Parsed("", [Page(number, number * 10, number * 10 + 8) for number in range(1, 50_001)])
    started = time.process_time()
    found = [parsed.page_at(offset) for offset in range(10, 500_010, 5)]
    assert time.process_time() - started < 2
    assert (found[0], found[1], found[-1], parsed.page_at(9)) == (1, 1, 50_000, None)


def test_a_step_that_is_told_to_stop_cuts_no_further():
    held = leases.Held(Claim(RunStep, 1, 1, 0, 3, 0, {}, False), "ingestion", max_runtime=60)
    held.stop("cancel")
    leases.working_on(held)
    try:
        with pytest.raises(leases.Stopped):
            passages_of("One.\nTwo.", PLAIN)
    finally:
        leases.working_on(None)
