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
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from shared.domain.text import make_storable
from shared.errors import PersonaeError, Rejected, Transient, Unavailable

MAX_SAID = 300
TOO_LONG = "the prompt is longer than the model's context size: lower PERSONAE_CHAT_CONTEXT_TOKENS"
CONTEXT = re.compile(r"context[ _-]?(size|length|window)|maximum context|context_length_exceeded", re.IGNORECASE)
ADVICE = {
    400: "it refuses the request: too long for the model, or an option that it does not know",
    401: "it refuses the API key: the operator must check the key in the settings",
    402: "the account behind the API key has no credit",
    403: "the API key may not use this model",
    404: "it has no such model or path: check the URL (it ends in /v1) and the model's name",
    413: "the request is too large for it",
    422: "it does not understand the request",
}

log = logging.getLogger(__name__)


class Server(NamedTuple):
    """A server as callers are told of it, and its address without credentials or query."""

    name: str
    address: str

    def __str__(self) -> str:
        return self.name


def name_server(part: str, url: str) -> Server:
    """Return the server of a part at a URL: `the chat server`."""
    split = urlsplit(url)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    port = f":{split.port}" if split.port else ""
    return Server(f"the {part} server", f"{split.scheme}://{host}{port}{split.path}")


def of_response(server: Server, response: httpx.Response, *, secret: str | None = None) -> PersonaeError:
    """Translate an answer that is no success; what is busy says in `retry_after` how long it asks us to wait."""
    error = of_status(server, response.status_code, response.text, secret=secret)
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
    reason = TOO_LONG if CONTEXT.search(said_safely) else ADVICE.get(status, "it refuses the request")
    return Rejected(f"{server} answered {status}: {reason}", provider_status=status)


def _quote(said: str, secret: str | None) -> str:
    """Return a provider's words for the log; the secret goes before they are cut, lest a piece of it stays."""
    words = make_storable(said)
    if secret:
        words = words.replace(secret, "***")
    return " ".join(words.split())[:MAX_SAID]


@contextmanager
def translated(server: Server) -> Iterator[None]:
    """Turn httpx's own errors into Transient, Unavailable or, for a bad certificate, Rejected."""
    try:
        yield
    except httpx.TransportError as error:
        log.warning("provider failed", extra={"address": server.address, "error": type(error).__name__})
        raise _of_transport(server, error) from error


def _of_transport(server: Server, error: httpx.TransportError) -> PersonaeError:
    match error:
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
