"""A document on the web is fetched by a worker: bounded by one deadline, ended by a cancel, brought in once."""

import os
from functools import cache
from typing import BinaryIO, NamedTuple

from sqlalchemy.orm import Session

from services import leases
from services.work import register_handler
from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.errors import Unavailable
from shared.models import Fetch
from shared.providers import intake
from shared.providers.network.outbound import Outbound, guard
from shared.providers.storage.blobs import Blobs, open_blobs
from shared.queries import quotas
from shared.queries.documents.documents import Bytes
from shared.queries.intake import arrivals
from shared.queries.intake.arrivals import Arrival
from shared.queries.scope import Scope
from shared.settings import get_settings
from shared.tasks import MODULES


class FetchTools(NamedTuple):
    """The outside world of a fetch."""

    blobs: Blobs
    outbound: Outbound
    limit: int  # bytes
    seconds: float


class Order(NamedTuple):
    """What is fetched, and as what it arrives."""

    url: str
    arrival: Arrival
    owner_id: str


@cache
def tools() -> FetchTools:
    """Return the providers of this process."""
    settings = get_settings()
    return FetchTools(open_blobs(settings), guard(settings), settings.max_upload_bytes, settings.fetch_seconds)


def load(session: Session, row: Fetch) -> Order:
    """Read what is to be fetched."""
    return Order(row.url, Arrival.from_json(row.arrival), row.owner_id)


def work(order: Order) -> Bytes:
    """Fetch and store the bytes; raises what the guard, the server or the kind of the file stands against."""
    blobs, outbound, limit, seconds = tools()
    arrival = order.arrival
    found = intake.fetch(outbound, order.url, limit=limit, seconds=seconds, on_open=leases.listener())
    with found.file:
        _require_space(order.owner_id, found.file)
        collection, given = arrival.collection, arrival.mime_type
        taken = intake.receive(blobs, found.file, found.name, limit=limit, collection=collection, given=given)
    return Bytes(*taken)


def _require_space(owner_id: str, file: BinaryIO) -> None:
    """Pass when a file that is not stored yet may be; raises TooMany."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with get_session() as session:
        quotas.require_space(session, Scope(owner_id), limit=get_settings().owner_bytes_stored, more=size)


def save(session: Session, row: Fetch, stored: Bytes) -> None:
    """Bring the document in, and start its run where one was asked for; a cancelled fetch brings nothing."""
    if row.status is not RunStatus.COMPLETED:
        return
    brought = arrivals.bring_in(
        session,
        Scope(row.owner_id),
        Arrival.from_json(row.arrival),
        stored,
        require_stored=_require_stored,
        embedding_model=get_settings().embedding_model,
        embedding_window=get_settings().embedding_window,
        meta=row.status_meta,
    )
    row.answer = brought.as_json()


def _require_stored(stored: Bytes) -> None:
    if not tools().blobs.exists(stored.doc_hash):
        raise Unavailable("the same file was just being deleted")


fetch = register_handler(MODULES, Fetch, load=load, work=work, save=save, max_runtime=120.0)
