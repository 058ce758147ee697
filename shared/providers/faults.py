"""What a vendor's failure means to us: said once, at the providers' own edge, and never with a key in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from shared.errors import PersonaeError, Rejected, Transient, Unavailable
from shared.providers.wire import clean

MAX_SAID = 300
ADVICE = {
    400: "it does not understand the request",
    401: "it refuses the API key: check the key in the settings or in the provider profile",
    402: "the account behind the API key has no credit",
    403: "the API key may not use this model",
    404: "it has no such model or path: check the URL (it ends in /v1) and the model's name",
    413: "the request is too large for it",
    422: "it does not understand the request",
}


def name_server(part: str, url: str) -> str:
    """Return words like `the chat server at http://host:1`, without credentials or query."""
    split = urlsplit(url)
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    port = f":{split.port}" if split.port else ""
    return f"the {part} server at {split.scheme}://{host}{port}{split.path}"


def of_status(server: str, status: int, said: str, *, secret: str | None = None) -> PersonaeError:
    """Translate an HTTP status: 408, 409, 425, 429 are Transient, 5xx Unavailable, the rest Rejected."""
    quoted = _quote(said, secret)
    if status >= 500:
        return Unavailable(f"{server} failed with {status}{quoted}", provider_status=status)
    if status in {408, 409, 425, 429}:
        return Transient(f"{server} is too busy ({status}){quoted}", provider_status=status)
    reason = ADVICE.get(status, "it refuses the request")
    return Rejected(f"{server} answered {status}: {reason}{quoted}", provider_status=status)


def _quote(said: str, secret: str | None) -> str:
    words = " ".join(clean(said).split())[:MAX_SAID]
    if secret:
        words = words.replace(secret, "***")
    return f" ({words})" if words else ""


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Turn httpx's own errors into Transient, Unavailable or, for a bad certificate, Rejected."""
    try:
        yield
    except httpx.ConnectError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Rejected(f"{server} shows a TLS certificate that is not to be trusted") from error
        raise Unavailable(f"{server} cannot be reached: is it running?") from error
    except httpx.TimeoutException as error:
        raise Transient(f"{server} did not answer in time") from error
    except httpx.TransportError as error:
        raise Transient(f"{server} broke the connection") from error
