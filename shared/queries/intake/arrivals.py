"""A document that arrives (seed 004): where it is found, whose file it is, and the run that reads it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy.orm import Session

from shared.domain.files import ArrivalAnswer, ArrivalRecord, plain_name
from shared.domain.persona import CollectionType
from shared.logs import Correlation
from shared.models import DocumentURI, RunGroup
from shared.queries.documents import documents, files
from shared.queries.documents.documents import Bytes
from shared.queries.personas import personas
from shared.queries.scope import Scope


@dataclass(frozen=True)
class Arrival:
    """What a sender says of a document: where it is found, for whom it is, and whether its run begins at once."""

    source_uri: str
    source: str
    batch_id: int | None = None
    doc_meta: dict[str, Any] | None = None
    mime_type: str | None = None
    persona_id: UUID | None = None
    collection: CollectionType | None = None
    priority: int = 0
    start: bool = False

    def as_json(self) -> ArrivalRecord:
        """Return it as a row keeps it."""
        kept = asdict(self) | {"persona_id": str(self.persona_id) if self.persona_id else None}
        return cast("ArrivalRecord", kept)

    @classmethod
    def from_json(cls, kept: ArrivalRecord) -> "Arrival":
        """Read it back."""
        persona_id, collection = kept["persona_id"], kept["collection"]
        typed: dict[str, Any] = {
            "persona_id": UUID(persona_id) if persona_id else None,
            "collection": CollectionType(collection) if collection else None,
        }
        return cls(**{**kept, **typed})


class BroughtIn(NamedTuple):
    """Where a document is found now, and the group of the run that was started for it."""

    location: DocumentURI
    group: RunGroup | None

    def as_json(self) -> ArrivalAnswer:
        """Return what seed 004 answers."""
        location, group = self
        return {
            "document_uri": location.uri,
            "document_hash": location.doc_hash,
            "source": location.source,
            "uri_id": location.id,
            "batch_id": location.batch_id,
            "run_group_id": group.id if group else None,
        }


def require_welcome(session: Session, scope: Scope, arrival: Arrival) -> None:
    """Pass when the document may arrive; raises NotFound, or Conflict for a batch that is completed."""
    if arrival.batch_id is not None:
        documents.require_open_batch(session, scope, arrival.batch_id)
    if arrival.persona_id is not None:
        personas.get(session, scope, arrival.persona_id)


def bring_in(
    session: Session,
    scope: Scope,
    arrival: Arrival,
    stored: Bytes,
    *,
    require_stored: Callable[[Bytes], object],
    embedding_model: str,
    embedding_window: int,
    meta: Correlation | None = None,
) -> BroughtIn:
    """Write where the document is found, whose file it is, and the run that reads it, where one is asked for.

    `require_stored` raises when its bytes were deleted since; also raises NotFound and Conflict.
    """
    require_welcome(session, scope, arrival)
    location, _ = documents.register(
        session,
        scope,
        stored,
        uri=arrival.source_uri,
        source=arrival.source,
        batch_id=arrival.batch_id,
        meta=arrival.doc_meta,
    )
    require_stored(stored)
    persona = personas.get(session, scope, arrival.persona_id) if arrival.persona_id else None
    if persona is not None and arrival.collection is not None:
        name = plain_name(arrival.source_uri)
        files.attach(session, persona, arrival.collection, name, location, size=stored.size)
    if persona is None and not arrival.start:
        return BroughtIn(location, None)
    group = files.ingest_one(
        session,
        scope,
        location,
        persona=persona,
        collection=arrival.collection,
        embedding_model=embedding_model,
        embedding_window=embedding_window,
        priority=arrival.priority,
        meta=meta,
    )
    return BroughtIn(location, group)
