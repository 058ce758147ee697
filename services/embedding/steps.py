"""From passages to vectors, each text once for all who hold it, and to rows that can be searched."""

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from services import leases
from shared.domain.text import content_hash
from shared.domain.workflow import ArtifactType
from shared.errors import NotFound
from shared.models import DocumentURI, Persona
from shared.providers.blobs import Blobs
from shared.providers.embedding import Embedding, Vector
from shared.queries import embeddings, passages
from shared.queries.scope import Scope
from shared.queries.workflows import StepContext

Facts = dict[str, Any]
TEXTS_PER_REQUEST = 64  # between two looks at whether the work was told to stop


class Tools(NamedTuple):
    """The outside world of these steps."""

    blobs: Blobs
    embedding: Embedding


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
    facts: Facts
    vectors: dict[str, Vector] = field(default_factory=dict)


def load_missing(session: Session, step: StepContext, with_: Tools) -> Loaded:
    """Read the passages, and leave out the texts that were embedded for somebody before."""
    rows = _read_rows(step, with_.blobs)
    by_hash = {content_hash(row["text"]): row["text"] for row in rows}
    known = embeddings.known(session, with_.embedding.model, by_hash.keys())
    return Loaded(step, rows, {key: text for key, text in by_hash.items() if key not in known})


def load_passages(session: Session, step: StepContext, with_: Tools) -> Loaded:
    """Read the passages to store."""
    return Loaded(step, _read_rows(step, with_.blobs))


def _read_rows(step: StepContext, blobs: Blobs) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        blobs.get_artifact(step.doc_hash, ArtifactType.CHUNKS, step.roots[ArtifactType.CHUNKS])
    )
    return rows


def embed(loaded: Loaded, with_: Tools) -> Result:
    """Ask for the missing vectors; raises Transient while the server is away, Stopped when told to stop."""
    held = leases.current()
    texts = list(loaded.missing.values())
    vectors: list[Vector] = []
    for start in range(0, len(texts), TEXTS_PER_REQUEST):
        if held is not None:
            held.check()
        vectors += with_.embedding.embed_passages(texts[start : start + TEXTS_PER_REQUEST])
    step, model = loaded.step, with_.embedding.model
    made = {"model": model, "hashes": [content_hash(row["text"]) for row in loaded.rows]}
    root = step.roots[ArtifactType.EMBEDDINGS]
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.EMBEDDINGS, root, json.dumps(made).encode())
    facts = {"model": model, "embedded": len(vectors), "reused": len(loaded.rows) - len(vectors)}
    return Result(loaded, facts, dict(zip(loaded.missing, vectors, strict=True)))


def save_vectors(session: Session, result: Result) -> Facts:
    """Store the vectors, and return the step's facts; raises Invalid when the model's dimension has changed."""
    if result.vectors:
        model = result.facts["model"]
        embeddings.ensure_model(session, model, {len(vector) for vector in result.vectors.values()})
        embeddings.add(session, model, result.vectors)
    return result.facts


def note_stored(loaded: Loaded, with_: Tools) -> Result:
    """Leave the artifact that says what is stored."""
    step = loaded.step
    made = {"passages": len(loaded.rows), "uri_id": step.params["uri_id"]}
    root = step.roots[ArtifactType.RAG]
    with_.blobs.put_artifact(step.doc_hash, ArtifactType.RAG, root, json.dumps(made).encode())
    return Result(loaded, {"stored": len(loaded.rows)})


def save_passages(session: Session, result: Result) -> Facts:
    """Replace the passages of the document's URI, unless a newer version is found there; return the step's facts.

    Raises NotFound when it or its persona was deleted meanwhile.
    """
    step = result.loaded.step
    location = session.get(DocumentURI, step.params["uri_id"], with_for_update={"key_share": True})
    if location is None:
        raise NotFound("the document was deleted during its ingestion")
    if location.doc_hash != step.doc_hash:
        return {"superseded": True}
    found = [passages.Text(row["text"], row["start"], row["end"], row["page"]) for row in result.loaded.rows]
    persona_id = UUID(step.params["persona_id"]) if step.params.get("persona_id") else None
    if persona_id is not None and session.get(Persona, persona_id) is None:
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
