"""What a vendor's failure means to us: said once, at the providers' own edge, and never with a key in it.

Callers are told which server failed; where it is, only the log tells.
"""

import logging
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from shared.domain.text import make_storable
from shared.errors import PersonaeError, Rejected, Transient, Unavailable
from shared.providers.network import dialect

MAX_SAID = 300
TOO_LONG = "the prompt is longer than the model's context size: lower PERSONAE_CHAT_CONTEXT_TOKENS"
CONTEXT = re.compile(r"context[ _-]?(size|length|window)|maximum context|context_length_exceeded", re.IGNORECASE)
NO_MODEL = re.compile(r"\bmodel\b.{0,80}(?:not found|not exist|not available|unknown|invalid)", re.IGNORECASE)
IS_LOADING = re.compile(r"\b(?:loading|being loaded|warming up|starting up|initiali[sz]ing|not ready)\b", re.IGNORECASE)
NO_SUCH_MODEL = "it has no such model: check {variable}_MODEL"
CHECK_URL = "check the URL, {variable}_URL (it ends in /v1)"
ADVICE = {
    400: "it refuses the request: too long for the model, or an option that it does not know",
    401: "it refuses the API key: the operator must check the key in the settings, {variable}_API_KEY",
    402: "the account behind the API key has no credit",
    403: "the API key, {variable}_API_KEY, may not use this model",
    404: f"it has no such model or path: {CHECK_URL} and the model's name, {{variable}}_MODEL",
    405: f"it takes no such request at this path: {CHECK_URL}",
    413: "the request is too large for it",
    422: "it does not understand the request",
}
REDIRECTS = "it redirects elsewhere, where no key is sent: set {variable}_URL to that address (https:// may be all)"
LENGTH = "it does not take the reply's longest length, {option}: set PERSONAE_CHAT_MAX_TOKENS to what the model allows"
OPTION = "it does not take {option} as it was set: leave it out, or set another value"
NO_SYSTEM = "it takes no system message, in which a persona is told: choose another model, {variable}_MODEL"
# What an error inside an answer means, by a word of its kind, where it has no status.
KINDS = (
    (re.compile(r"quota|credit|billing|balance"), 402),
    (re.compile(r"rate.?limit|too.?many"), 429),
    (re.compile(r"overload|capacity|unavailable"), 503),
    (re.compile(r"api.?key|authenticat|unauthori[sz]ed"), 401),
    (re.compile(r"permission|forbidden"), 403),
    (re.compile(r"model.?not.?found|not.?found"), 404),
    (re.compile(r"context|invalid.?request|bad.?request"), 400),
)

log = logging.getLogger(__name__)


class Server(NamedTuple):
    """A server as callers are told of it, and its address without credentials or query."""

    name: str
    address: str
    part: str = ""

    @property
    def variable(self) -> str:
        """How the names of its settings begin."""
        return f"PERSONAE_{self.part.upper()}"

    def __str__(self) -> str:
        return self.name


def name_server(part: str, url: str) -> Server:
    """Return the server of a part at a URL: `the chat server`."""
    split = urlsplit(url)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    port = f":{split.port}" if split.port else ""
    return Server(f"the {part} server", f"{split.scheme}://{host}{port}{split.path}", part)


def of_response(
    server: Server, response: httpx.Response, said: str | None = None, *, secret: str | None = None
) -> PersonaeError:
    """Translate an answer that is no success; what is busy says in `retry_after` how long it asks us to wait.

    `said` is the beginning of its text, where that was not read as a whole.
    """
    said = response.text if said is None else said
    if response.is_redirect:
        said = response.headers.get("Location", "")
    error = of_status(server, response.status_code, said, secret=secret)
    if response.status_code in {429, 503}:
        error.details["retry_after"] = read_retry_after(response.headers.get("Retry-After"))
    return error


def read_retry_after(said: str | None) -> float | None:
    """Return the seconds that a `Retry-After` asks for, in either of its forms; None when it says nothing."""
    try:
        seconds = float(said or "")
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said or "").timestamp() - time.time())
    except ValueError:
        return None


def of_status(server: Server, status: int, said: str, *, secret: str | None = None) -> PersonaeError:
    """Translate an HTTP status: 408, 409, 425, 429 are Transient, 5xx Unavailable, the rest Rejected.

    What the provider said goes to the log only: it may name its account, its key or its quota.
    """
    said_safely = _quote(said, secret)
    log.warning("provider failed", extra={"address": server.address, "status": status, "said": said_safely})
    if status >= 500:
        return Unavailable(f"{server} failed with {status}", provider_status=status)
    if status in {408, 409, 425, 429}:
        return Transient(f"{server} is too busy ({status})", provider_status=status)
    reason = _reason(status, said_safely).replace("{variable}", server.variable)
    return Rejected(f"{server} answered {status}: {reason}", provider_status=status)


def of_error(server: Server, error: Any, *, secret: str | None = None) -> PersonaeError:
    """Translate an error that stands inside an answer, after a status of success: an object, a list or words."""
    first = error[0] if isinstance(error, list) and error else error
    told = first if isinstance(first, dict) else {"message": first}
    said = str(told.get("message") or told.get("msg") or told.get("detail") or told)
    return of_status(server, _status_of(told, said), said, secret=secret)


def _status_of(told: dict[str, Any], said: str) -> int:
    """Return the status that an error gives as its code, or that of its kind; 500 where nothing tells."""
    for name in ("code", "status", "status_code"):
        number = str(told.get(name))
        if number.isascii() and number.isdigit() and 400 <= int(number[:4]) < 600:
            return int(number)
    words = f"{told.get('type')} {told.get('code')} {said[:MAX_SAID]}".lower()
    return next((status for kind, status in KINDS if kind.search(words)), 500)


def _reason(status: int, said: str) -> str:
    """Say what a refusal means: first by what it names, then by its status."""
    if status < 400:
        return REDIRECTS
    if CONTEXT.search(said):
        return TOO_LONG
    if status in {400, 404, 422} and NO_MODEL.search(said):
        return NO_SUCH_MODEL
    if status not in {400, 422}:
        return ADVICE.get(status, "it refuses the request")
    if option := dialect.OPTION.search(said):
        return (LENGTH if option[0] in dialect.LENGTHS else OPTION).replace("{option}", option[0])
    return NO_SYSTEM if dialect.SYSTEM.search(said) else ADVICE[status]


def _quote(said: str, secret: str | None) -> str:
    """Return a provider's words for the log; the secret goes before they are cut, lest a piece of it stays."""
    words = make_storable(said)
    if secret:
        words = words.replace(secret, "***")
    return " ".join(words.split())[:MAX_SAID]


@contextmanager
def translated(server: Server) -> Iterator[None]:
    """Turn httpx's own errors into Transient, Unavailable or, where trying again cannot help, Rejected."""
    try:
        yield
    except (httpx.TransportError, httpx.DecodingError) as error:
        log.warning("provider failed", extra={"address": server.address, "error": type(error).__name__})
        raise _of_transport(server, error) from error


def _of_transport(server: Server, error: httpx.RequestError) -> PersonaeError:
    match error:
        case httpx.DecodingError():
            return Rejected(
                f"{server} says that its answer is compressed, and it cannot be unpacked: "
                "turn compression off there, or in the proxy before it"
            )
        case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return Rejected(f"{server} shows a TLS certificate that is not to be trusted")
        case httpx.UnsupportedProtocol():
            return Rejected(f"{server} has a URL that does not begin with http:// or https://")
        case httpx.ConnectError():
            return Unavailable(f"{server} cannot be reached: is it running?")
        case httpx.TimeoutException():
            return Transient(f"{server} did not answer in time", timed_out=True)
        case _:
            return Transient(f"{server} broke the connection")
