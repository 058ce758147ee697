"""A POST that is sent twice works once: its answer is kept in the transaction that does the work."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import Response, after_this_request, current_app, jsonify, request
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage

from gateway.http import quotas
from gateway.http.auth import identity
from shared.db import Session, get_session
from shared.errors import Invalid
from shared.queries.accounts import idempotency
from shared.queries.accounts.idempotency import StoredAnswer

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
MARK = "idempotent"
CHUNK = 1 << 20

View = TypeVar("View", bound=Callable[..., Any])
Answer = TypeVar("Answer", bound=BaseModel)


class Replayed(Exception):
    """This request was answered before; `stored` is that answer."""

    def __init__(self, stored: StoredAnswer) -> None:
        super().__init__("answered before")
        self.stored = stored


@dataclass
class Once:
    """The session that does the work, and the keeping of its answer."""

    session: Session
    holder: str
    key: str | None
    kept: bool = field(default=False)

    def keep(self, answer: Answer, status: int) -> Answer:
        """Keep the answer for whoever sends this request again, and return it."""
        if self.key is not None:
            stored = StoredAnswer(status, answer.model_dump(mode="json", by_alias=True))
            idempotency.keep_answer(self.session, self.holder, self.key, stored)
        self.kept = True
        return answer


def idempotent(view: View) -> View:
    """Declare that a route honours Idempotency-Key; its body then works through `once` or `begun`."""
    view.__dict__[MARK] = True
    return view


def install(app: APIFlask) -> None:
    """Answer a replay as the first request was answered, also where its owner may add no more work."""
    app.before_request(refuse_at_the_door)
    app.register_error_handler(Replayed, say_again)


def refuse_at_the_door() -> None:
    """Refuse work that there is no room for before its body is read, unless it may have been answered before."""
    view = current_app.view_functions.get(request.endpoint or "")
    if HEADER not in request.headers or not getattr(view, MARK, False):
        quotas.require_room()


def say_again(error: Replayed) -> Response:
    """Give the kept answer."""
    response = jsonify(error.stored.body)
    response.status_code = error.stored.status
    return _marked(response)


def _marked(response: Response) -> Response:
    response.headers[REPLAYED] = "true"
    return response


@contextmanager
def once() -> Iterator[Once]:
    """Open the transaction of the work; raises Replayed when this request was answered before.

    The key's row is written first, so a parallel twin waits for this transaction; the route calls `keep` before the
    block ends. An error undoes the key with the work: sending again tries again.
    """
    key = request.headers.get(HEADER)
    with get_session() as session:
        work = Once(session, identity().holder, key)
        if key is not None:
            _take(work, key)
            quotas.require_room(session)
        yield work
        if not work.kept:
            raise RuntimeError("a route that works once must keep its answer")


def begun(schema: type[Answer], begin: Callable[[Session], object], *, status: int = 202) -> Answer:
    """Begin work once, and return what was told of it at its start: a later sender of this request waits as the first.

    Whatever the wait comes to is not kept, for it is read from the rows each time.
    """
    try:
        with once() as work:
            return work.keep(schema.model_validate(begin(work.session)), status)
    except Replayed as replay:
        after_this_request(_marked)
        return schema.model_validate(replay.stored.body)


def _take(work: Once, key: str) -> None:
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
        raise Invalid(f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters")
    hours = current_app.config["SETTINGS"].keep_idempotency_hours
    stored = idempotency.take(work.session, work.holder, key, request_hash=request_hash(), keep=timedelta(hours=hours))
    if stored is not None:
        raise Replayed(stored)


def request_hash() -> str:
    """Return the hash of what this request asks: JSON counts by value, a form and its files by content."""
    asked: list[Any] = [request.method, request.path, sorted(request.args.items(multi=True))]
    if request.mimetype == "multipart/form-data":
        asked.append(sorted(request.form.items(multi=True)))
        asked.append([[name, file.filename, _hash_of(file)] for name, file in request.files.items(multi=True)])
    elif request.content_length or request.headers.get("Transfer-Encoding"):
        asked.append(request.get_json())
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _hash_of(file: FileStorage) -> str:
    digest = hashlib.sha256()
    while chunk := file.stream.read(CHUNK):
        digest.update(chunk)
    file.stream.seek(0)
    return digest.hexdigest()
