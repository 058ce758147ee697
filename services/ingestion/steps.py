"""Validate, parse, chunk: each maps artifacts to artifacts, which are written before its row settles."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from services import leases
from services.ingestion import quotes
from shared.domain.persona import CollectionType
from shared.domain.workflow import ArtifactType, DocumentFacts, StepFacts
from shared.errors import Invalid
from shared.providers.parsing.chunker import Chunk
from shared.providers.parsing.chunker import chunk as cut
from shared.providers.parsing.parser import Page, Parsed, Parser
from shared.providers.parsing.sniff import CSV, JSONL, PLAIN, decode_text
from shared.providers.storage import blobs as stored
from shared.providers.storage.blobs import Blobs
from shared.queries.workflows.advance import StepContext

MOST_PAGES_NAMED = 100


class ParsingTools(NamedTuple):
    """The outside world of these steps."""

    blobs: Blobs
    parser: Parser


def validate(step: StepContext, with_: ParsingTools) -> StepFacts:
    """Check that the bytes are there and whole; raises Invalid for a damaged document."""
    data = stored.read(with_.blobs, step.doc_hash)
    if not data:
        raise Invalid("the file is empty")
    return {"document": {"is_valid": True, "file_size": len(data)}}


def parse(step: StepContext, with_: ParsingTools) -> StepFacts:
    """Write the document's text as markdown, and its structure as JSON; raises Invalid with a reason for people."""
    root = step.roots[ArtifactType.PARSED_JSON]
    if with_.blobs.has_artifact(step.doc_hash, ArtifactType.PARSED_JSON, root):
        known = _read_parsed(step, with_.blobs)
        return {"document": _about(known), "reused": True} | _unread(known)
    parsed = with_.parser.parse(stored.read(with_.blobs, step.doc_hash), step.mime_type)
    structure: dict[str, Any] = {"pages": parsed.pages, "title": parsed.title, "author": parsed.author}
    structure |= {"warnings": parsed.warnings} if parsed.warnings else {}
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.PARSED_MD, root, parsed.text.encode())
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.PARSED_JSON, root, json.dumps(structure).encode())
    return {"document": _about(parsed), "characters": len(parsed.text)} | _unread(parsed)


def _unread(parsed: Parsed) -> StepFacts:
    """Name what holds no text or could not be read, scans for the most part, so that nobody misses it unawares."""
    empty = [page.number for page in parsed.pages if not parsed.text[page.start : page.end].strip()]
    named, more = empty[:MOST_PAGES_NAMED], "…" if len(empty) > MOST_PAGES_NAMED else ""
    about = [f"no text on page {', '.join(map(str, named))}{more}"] if empty else []
    told = "; ".join([*about, *parsed.warnings])
    pages: StepFacts = {"pages_without_text": named} if empty else {}
    return pages | {"warning": told} if told else pages


def _about(parsed: Parsed) -> DocumentFacts:
    """Return what a document says of itself; one that was deleted meanwhile and sent again must learn it anew."""
    about: DocumentFacts = {}
    if parsed.page_count:
        about["page_count"] = parsed.page_count
    if parsed.title:
        about["title"] = parsed.title
    if parsed.author:
        about["author"] = parsed.author
    return about


def chunk(step: StepContext, with_: ParsingTools) -> StepFacts:
    """Write the document's passages; a quote is one passage. Raises Invalid when there are none."""
    parsed = _read_parsed(step, with_.blobs)
    passages = list(_while_wanted(_passages(step, with_, parsed)))
    if not passages:
        raise Invalid("the file holds no passage")
    rows = [_row(passage, parsed.page_at(passage.start)) for passage in passages]
    root = step.roots[ArtifactType.CHUNKS]
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.CHUNKS, root, json.dumps(rows).encode())
    return {"passages": len(rows)}


def _while_wanted(passages: Iterator[Chunk]) -> Iterator[Chunk]:
    """Pass them on until the step is told to stop; raises Stopped."""
    held = leases.current()
    for passage in passages:
        if held:
            held.check()
        yield passage


def _passages(step: StepContext, with_: ParsingTools, parsed: Parsed) -> Iterator[Chunk]:
    is_quotes = step.config.get("collection") == CollectionType.QUOTES
    if step.mime_type == JSONL:
        return quotes.from_lines(parsed.text)
    if is_quotes and step.mime_type == CSV:  # the parsed table has its own marks between the cells
        return quotes.from_table(decode_text(stored.read(with_.blobs, step.doc_hash)), parsed.text)
    if is_quotes and step.mime_type == PLAIN:
        return quotes.from_text(parsed.text)
    return _cut(parsed, step.config["chunk_size"], step.config["chunk_overlap"])


def _cut(parsed: Parsed, size: int, overlap: int) -> Iterator[Chunk]:
    """Yield passages in reading order; none crosses a page, so that a citation names the page it is on."""
    for page in parsed.pages or (Page(1, 0, len(parsed.text)),):
        for text, start, end in cut(parsed.text[page.start : page.end], size, overlap):
            yield Chunk(text, page.start + start, page.start + end)


def _read_parsed(step: StepContext, blobs: Blobs) -> Parsed:
    root = step.roots[ArtifactType.PARSED_JSON]
    text = blobs.get_artifact(step.doc_hash, ArtifactType.PARSED_MD, root).decode()
    structure = json.loads(blobs.get_artifact(step.doc_hash, ArtifactType.PARSED_JSON, root))
    pages = [Page(*page) for page in structure["pages"]]
    return Parsed(text, pages, structure["title"], structure["author"], structure.get("warnings", ()))


def _row(passage: Chunk, page: int | None) -> dict[str, Any]:
    return {"text": passage.text, "start": passage.start, "end": passage.end, "page": page}
