"""One table says which status an error has, and one shape is what every failed request answers."""

import logging
import re
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, current_app, jsonify, request
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, UnsupportedMediaType

from gateway.http.addresses import about_address
from gateway.http.auth import CHALLENGE
from shared import errors, failures

STATUS: dict[type[Exception], int] = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.Refused: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.WorkFailed: failures.FAILED_FOR_GOOD,
    errors.Rejected: 502,
    errors.Transient: 503,
    errors.PersonaeError: 400,
    OperationalError: 503,
    InterfaceError: 503,
    NoConnectionFree: 503,
    DataError: 422,
    StaleDataError: 404,
    ObjectDeletedError: 404,
    ParseException: 400,
    Exception: 500,
}
# What may be said of an error whose own text must not leave the house.
WORDS: dict[type[Exception], str] = {
    OperationalError: "the database is not available; try again shortly",
    InterfaceError: "the database is not available; try again shortly",
    NoConnectionFree: "the gateway is busy; try again shortly",
    DataError: "a value is out of the range that can be stored",
    StaleDataError: "this was deleted a moment ago",
    ObjectDeletedError: "this was deleted a moment ago",
    ParseException: "the body breaks off or is no HTTP: check its chunks",
    Exception: "something went wrong here; the correlation id finds it in the logs",
}
# By SQLSTATE; a broken rule is told by its name, which is made of words: ck_<table>_loop_only_when_autonomous.
INTEGRITY: dict[str, tuple[int, str]] = {
    "23505": (409, "there is one with the same {rule} already"),
    "23503": (409, "this refers to something that does not exist, or is still in use"),
    "23514": (422, "this breaks a rule: {rule}"),
    "23502": (422, "something that is needed is missing"),
}
WHOLE = "_schema: "  # APIFlask's name for a rule over several fields
PYDANTICS_OWN = "Value error, "  # put before the words of our own rules
PROGRAM_LIMIT = "54"  # a class of SQLSTATEs that are OperationalErrors too: a value too long for an index, say
QUERY_CANCELED = "57014"
TOO_LONG = "the database took longer than {seconds:g} s for this and was stopped: ask for less, or try again later"
TYPES = {
    413: "TooLarge",
    414: "AddressTooLong",
    422: "Invalid",
    429: "TooMany",
    500: "InternalError",
    503: "Unavailable",
}
RETRY_AFTER_SECONDS = "5"
LONGEST_PATH = 200  # characters of an address that an error repeats

log = logging.getLogger(__name__)


def install(app: APIFlask) -> None:
    """Answer every error in the one shape."""
    app.register_error_handler(errors.PersonaeError, say_our_own)
    app.register_error_handler(HTTPError, say_validation)
    app.register_error_handler(HTTPException, say_http)
    app.register_error_handler(IntegrityError, say_integrity)
    app.register_error_handler(OperationalError, say_operational)
    app.register_error_handler(ParseException, say_unreadable)
    app.register_error_handler(Exception, say_unexpected)


def answer(status: int, message: str, *, error_type: str | None = None, details: Any = None) -> Response:
    """Build the error response."""
    body = failures.body(message, error_type=error_type or type_of(status), status=status)
    response = jsonify(body | ({"details": details} if details else {}))
    response.status_code = status
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def type_of(status: int) -> str:
    """Name an error by its status alone: 405 is a MethodNotAllowed."""
    return TYPES.get(status) or HTTPStatus(status).phrase.title().replace(" ", "")


def closest(error: Exception, table: dict[type[Exception], Any]) -> Any:
    """Look an error up by its class, else by the nearest class it inherits."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)


def say_our_own(error: errors.PersonaeError) -> Response:
    """Our errors hold nothing secret and speak for themselves."""
    response = answer(closest(error, STATUS), str(error), error_type=type(error).__name__, details=error.details)
    if isinstance(error, errors.TooMany) and error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def say_validation(error: HTTPError) -> Response:
    """Name each field that is wrong, in words and by its place; what is wrong with all of them has no name."""
    details = {
        place: {
            field: [message.removeprefix(PYDANTICS_OWN) for message in messages] for field, messages in found.items()
        }
        for place, found in error.detail.items()
    }
    fields = [f"{field}: {'; '.join(said)}" for found in details.values() for field, said in found.items()]
    told = ", ".join(field.removeprefix(WHOLE) for field in fields)
    return answer(error.status_code, told or str(error.message), details=details)


def say_http(error: HTTPException) -> Response:
    """Routing, body and size errors of the framework."""
    response = answer(error.code or 500, words_for(error))
    response.headers.extend(
        (name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")
    )
    return response


def words_for(error: HTTPException) -> str:
    """Put the framework's own refusals into words that say what to do; what our code raised keeps its own."""
    if type(error) is NotFound and error.description == NotFound.description:
        return about_address(current_app.url_map, request.path[:LONGEST_PATH])
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} is not allowed here; allowed are {', '.join(sorted(error.valid_methods or ()))}"
    if isinstance(error, UnsupportedMediaType):
        return "send the body as JSON, with the header Content-Type: application/json"
    return error.description or error.name


def say_integrity(error: IntegrityError) -> Response:
    """Say which kind of rule was broken, without the database's words or anybody's values."""
    found = getattr(error.orig, "diag", None)
    status, words = INTEGRITY.get(getattr(error.orig, "pgcode", ""), (409, "this contradicts what is stored"))
    rule = getattr(found, "constraint_name", None) or ""
    rule = re.sub(rf"^(ck|uq)_{getattr(found, 'table_name', '')}_(owner_id_)?", "", rule).replace("_", " ")
    return answer(status, words.format(rule=rule or "values"))


def say_operational(error: OperationalError) -> Response:
    """Tell a value beyond the database's own limits, and a query beyond ours, from a database that is away."""
    state = getattr(error.orig, "pgcode", None) or ""
    if state == QUERY_CANCELED:
        seconds = current_app.config["SETTINGS"].gateway_statement_seconds
        log.warning("a query took too long", extra={"seconds": seconds})
        return answer(HTTPStatus.GATEWAY_TIMEOUT, TOO_LONG.format(seconds=seconds))
    if state.startswith(PROGRAM_LIMIT):
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "a value is longer than can be stored")
    return say_unexpected(error)


def say_unreadable(error: ParseException) -> Response:
    """The body is not cut into chunks as its headers promise, which shows only while it is read."""
    response = answer(HTTPStatus.BAD_REQUEST, f"the body cannot be read: {error}")
    response.headers["Connection"] = "close"
    return response


def say_unexpected(error: Exception) -> Response:
    """Say as much as the table allows; only the log gets the rest."""
    status: int = closest(error, STATUS)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unexpected error", exc_info=error)
    else:
        log.warning("refused", extra={"kind": type(error).__name__, "reason": str(error.__cause__ or error)})
    return answer(status, closest(error, WORDS))
