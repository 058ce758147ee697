"""Cutting into passages: JSON lines one by one, and prose into pieces that can be searched."""

import json

import pytest

from services.ingestion import steps
from services.ingestion.steps import LONGEST_QUOTE, Tools
from shared.domain.workflow import ArtifactType, WorkflowStepType
from shared.errors import Invalid
from shared.providers.blobs import FakeBlobs
from shared.providers.parser import FakeParser
from shared.providers.sniff import JSONL, PLAIN
from shared.queries.workflows import StepContext

ROOTS = dict.fromkeys((ArtifactType.PARSED_MD, ArtifactType.PARSED_JSON, ArtifactType.CHUNKS), "1")
LARGEST_VECTOR = 1024 * 1024  # bytes of one Postgres tsvector


def passages_of(text: str, mime_type: str) -> list[str]:
    """Parse and cut a text; return the passages that are stored."""
    tools = Tools(FakeBlobs(), FakeParser())
    config = {"chunk_size": 480, "chunk_overlap": 64}
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
