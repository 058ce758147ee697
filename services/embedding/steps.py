"""From passages to vectors, each text once for all who hold it, and to rows that can be searched."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services import leases
from services.embedding.line import Entry, Line, Request
from shared.db import get_session
from shared.domain.text import content_hash
from shared.domain.workflow import ArtifactType, StepFacts
from shared.errors import NotFound, Transient
from shared.models import DocumentURI, Persona
from shared.providers.embedding.client import Embedding
from shared.providers.embedding.vectors import Vector
from shared.providers.storage.blobs import Blobs
from shared.queries.knowledge import embeddings, passages
from shared.queries.scope import Scope
from shared.queries.workflows import progress
from shared.queries.workflows.advance import StepContext
from shared.queries.workflows.progress import Advance

Given = TypeVar("Given")
TEXTS_PER_REQUEST = 16
SHORTEST_REST = 0.1
LONGEST_REST = 60.0  # seconds between two tries at a server that says it is busy
PATIENCE = 3600.0  # seconds that it may say so without a vector in between


class EmbeddingTools(NamedTuple):
    """The outside world of these steps."""

    blobs: Blobs
    embedding: Embedding
    keep: Callable[[str, dict[str, Vector], Sequence[Advance]], None]  # stores what a request gave, at once
    place: Callable[[int], AbstractContextManager[None]] = lambda texts_left: nullcontext()
    batch: int = TEXTS_PER_REQUEST
    line: Line | None = None  # of all documents of this process; without it, each is alone


@dataclass(frozen=True)
class Loaded:
    """A step, its document's passages, and by hash the texts that have no vector yet."""

    step: StepContext
    rows: list[dict[str, Any]]
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a step came to, to be written in its settling transaction."""

    loaded: Loaded
    facts: StepFacts


def load_missing(session: Session, step: StepContext, with_: EmbeddingTools) -> Loaded:
    """Read the passages, and leave out the texts that were embedded for somebody before."""
    rows = _read_rows(step, with_.blobs)
    by_hash = {content_hash(row["text"]): row["text"] for row in rows}
    known = embeddings.known(session, with_.embedding.model, by_hash.keys())
    return Loaded(step, rows, {key: text for key, text in by_hash.items() if key not in known})


def load_passages(session: Session, step: StepContext, with_: EmbeddingTools) -> Loaded:
    """Read the passages to store."""
    return Loaded(step, _read_rows(step, with_.blobs))


def _read_rows(step: StepContext, blobs: Blobs) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        blobs.get_artifact(step.doc_hash, ArtifactType.CHUNKS, step.roots[ArtifactType.CHUNKS])
    )
    return rows


def embed(loaded: Loaded, with_: EmbeddingTools) -> Result:
    """Ask for the missing vectors; raises Transient while the server is away, Stopped when told to stop."""
    _embed_missing(loaded, with_)
    step, model = loaded.step, with_.embedding.model
    made = {"model": model, "hashes": [content_hash(row["text"]) for row in loaded.rows]}
    root = step.roots[ArtifactType.EMBEDDINGS]
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.EMBEDDINGS, root, json.dumps(made).encode())
    embedded = len(loaded.missing)
    counted: StepFacts = {"passages": len(loaded.rows), "passages_done": len(loaded.rows)}
    return Result(loaded, {"model": model, "embedded": embedded, "reused": len(loaded.rows) - embedded} | counted)


def _embed_missing(loaded: Loaded, with_: EmbeddingTools) -> None:
    counts = Counter(content_hash(row["text"]) for row in loaded.rows)
    step = loaded.step
    persona = step.params.get("persona_id") or ""
    entry = Entry(step.step_id, step.owner_id, dict(loaded.missing), counts, step.fence, persona=persona)
    embed_in_turn(entry, with_)


def embed_in_turn(entry: Entry, with_: EmbeddingTools) -> None:
    """Have texts embedded in their turn; each answer is kept at once, so that no retry begins at zero."""
    line = with_.line or Line(with_.batch)
    line.serve(entry, partial(_ask_and_keep, with_=with_))


def _ask_and_keep(request: Request, with_: EmbeddingTools) -> bool:
    vectors = _patiently(lambda: _ask(request, with_))
    if vectors is None:  # too much for its time
        return False
    by_hash = dict(zip(request.hashes, vectors, strict=True))
    _patiently(lambda: with_.keep(with_.embedding.model, by_hash, request.advances()))
    return True


def _patiently(act: Callable[[], Given]) -> Given:
    """Let no hiccup of the database end the work that asks for others, too; raises Stopped when told to stop."""
    held = leases.current()
    if held is None:
        return act()

    def once() -> Given:
        held.check()
        return act()

    return leases.patiently(once, held)


def _ask(request: Request, with_: EmbeddingTools) -> list[Vector] | None:
    """Ask for one request's texts, after as many rests as the server wants; None when fewer would be in time."""
    texts, rested = request.texts, 0.0
    while True:
        if held := leases.current():
            held.check()
        try:
            with with_.place(min(entry.left for entry in request.entries)):
                since = time.monotonic()
                vectors = with_.embedding.embed_passages(texts)
                request.seconds = time.monotonic() - since
                return vectors
        except Transient as error:
            rest = error.details.get("retry_after")
            if error.details.get("timed_out") and len(texts) > 1:
                return None
            if rest is None or rested > PATIENCE:
                raise
        rest = min(max(rest, SHORTEST_REST), LONGEST_REST)
        rested += rest
        leases.wait(rest)


def keep(model: str, vectors: dict[str, Vector], advances: Sequence[Advance]) -> None:
    """Store vectors in a transaction of their own; raises Invalid when the model's dimension has changed."""
    with get_session() as session:
        store(session, model, vectors, advances)


def store(session: Session, model: str, vectors: dict[str, Vector], advances: Sequence[Advance]) -> None:
    """Store vectors, and how far their documents are; raises Invalid when the model's dimension has changed."""
    embeddings.ensure_model(session, model, {len(vector) for vector in vectors.values()})
    embeddings.add(session, model, vectors)
    progress.note(session, advances)


def note_facts(session: Session, result: Result) -> StepFacts:
    """Return the step's facts: its vectors were stored as they came."""
    return result.facts


def note_stored(loaded: Loaded, with_: EmbeddingTools) -> Result:
    """Leave the artifact that says what is stored."""
    step = loaded.step
    made = {"passages": len(loaded.rows), "uri_id": step.params["uri_id"]}
    root = step.roots[ArtifactType.RAG]
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.RAG, root, json.dumps(made).encode())
    return Result(loaded, {"stored": len(loaded.rows)})


def save_passages(session: Session, result: Result) -> StepFacts:
    """Replace the passages of the document's URI, unless a newer version is found there; return the step's facts.

    Raises NotFound when it or its persona was deleted meanwhile.
    """
    step = result.loaded.step
    location = session.get(DocumentURI, step.params["uri_id"], with_for_update={"key_share": True})
    if location is None:
        raise NotFound("the document was deleted during its ingestion")
    if location.doc_hash != step.doc_hash:
        return {"superseded": True}
    found = [passages.PassageText(row["text"], row["start"], row["end"], row["page"]) for row in result.loaded.rows]
    persona_id = UUID(step.params["persona_id"]) if step.params.get("persona_id") else None
    if persona_id is not None and not session.scalar(select(Persona.id).where(Persona.id == persona_id)):
        raise NotFound("the persona was deleted during its ingestion")
    passages.replace(
        session,
        Scope(step.owner_id),
        location,
        found,
        doc_hash=step.doc_hash,
        title=step.doc_meta.get("title"),
        persona_id=persona_id,
        collection=step.params.get("collection"),
    )
    return result.facts
