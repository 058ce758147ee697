"""The guard: what users supply (URLs, webhooks, provider profiles) reaches public addresses only.

The address that was checked is the one that is connected to, and every redirect is checked like the first URL.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from shared.errors import Invalid, Refused, Rejected, TooLarge, Transient
from shared.providers import faults
from shared.providers.addresses import (
    AllowList,
    Resolve,
    is_public,
    literal,
    parse_allow_list,
    resolve_host,
    unwrap,
)
from shared.settings import Settings

MAX_REDIRECTS = 5
PORTS = {"http": 80, "https": 443}


class Fetched(NamedTuple):
    """A document from the web; `url` is where the last redirect led."""

    url: str
    content_type: str
    body: bytes


class Outbound:
    """The one way out for what a user supplies; safe to share between threads."""

    def __init__(
        self,
        allow: str = "",
        *,
        resolve: Resolve = resolve_host,
        transport: Callable[[], httpx.BaseTransport] = httpx.HTTPTransport,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allow: AllowList = parse_allow_list(allow)
        self._resolve = resolve
        self._transport = transport
        self._clock = clock

    def check(self, url: str) -> list[str]:
        """Return the addresses that a URL may be reached at, for a check when it is saved; raises Refused."""
        try:
            return self.addresses(httpx.URL(url))
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Refused("this is no URL") from error

    def addresses(self, url: httpx.URL) -> list[str]:
        """Resolve and check; one forbidden address among several refuses them all. Raises Refused."""
        if url.scheme not in PORTS:
            raise Refused(f"only http and https are allowed, not {url.scheme or 'a URL without a scheme'}")
        if url.userinfo:
            raise Refused("a URL may not hold a user name or password")
        host, port = url.host.rstrip(".").lower(), url.port or PORTS[url.scheme]
        if not host:
            raise Refused("the URL names no host")
        spelled = literal(host)
        found = [str(spelled)] if spelled else list(self._resolve(host, port))
        if not found or not (self._allow.allows_name(host, port) or all(map(self._may_reach, found))):
            raise Refused(f"{host} does not lead to a public address")
        return found

    def _may_reach(self, address: str) -> bool:
        parsed = ip_address(address)
        return is_public(parsed) or self._allow.allows_address(unwrap(parsed))

    def transport(self) -> httpx.BaseTransport:
        """Return a transport that connects to checked addresses only; for clients with rules of their own."""
        return PinnedTransport(self, self._transport())

    def client(self, *, timeout: float = 10.0) -> httpx.Client:
        """Return a client that follows up to 5 redirects, each checked; its requests raise Refused."""
        return httpx.Client(
            transport=self.transport(),
            timeout=timeout,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            headers={"Accept-Encoding": "identity", "User-Agent": "personae"},
        )

    def fetch(self, url: str, *, max_bytes: int, seconds: float = 30.0) -> Fetched:
        """Read a document of at most `max_bytes` in at most `seconds`.

        Raises Refused, TooLarge, Rejected (a 4xx), Transient, Unavailable.
        """
        self.check(url)
        ends_at = self._clock() + seconds
        with (
            _translated(url),
            self.client(timeout=min(seconds, 10.0)) as client,
            client.stream("GET", url) as response,
        ):
            _require_readable(response, url, max_bytes)
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > max_bytes:
                    raise TooLarge(f"{_host(url)} sends more than {max_bytes} bytes")
                if self._clock() > ends_at:
                    raise Transient(f"{_host(url)} took longer than {seconds:g} s")
            return Fetched(str(response.url), response.headers.get("Content-Type", ""), bytes(body))


class PinnedTransport(httpx.BaseTransport):
    """Resolves the name itself, and connects to the very address that it checked."""

    def __init__(self, outbound: Outbound, inner: httpx.BaseTransport) -> None:
        self._outbound = outbound
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Try the checked addresses in turn; raises Refused, or httpx's own errors."""
        failure: httpx.ConnectError | None = None
        for address in self._outbound.addresses(request.url):
            try:
                return self._inner.handle_request(pinned(request, address))
            except httpx.ConnectError as error:
                failure = error
        raise failure or httpx.ConnectError("no address")

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def pinned(request: httpx.Request, address: str) -> httpx.Request:
    """Return the request aimed at an address; the Host header and the TLS name stay those of the URL.

    `Connection: close`, because a kept connection to an address would serve any other name that leads there.
    """
    headers = request.headers.copy()
    headers["Connection"] = "close"
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host.rstrip(".")},
    )


def _require_readable(response: httpx.Response, url: str, max_bytes: int) -> None:
    status, host = response.status_code, _host(url)
    if status == 429 or status >= 500:
        raise Transient(f"{host} answered {status}")
    if not response.is_success:
        raise Rejected(f"{host} answered {status}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        # A bomb would be unpacked before it is counted.
        raise Invalid(f"{host} compresses although it was asked not to")
    length = response.headers.get("Content-Length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise TooLarge(f"{host} offers {length} bytes; the limit is {max_bytes}")


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the server"


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        with faults.translated(faults.Server(_host(url), _host(url))):
            yield
    except httpx.TooManyRedirects as error:
        raise Refused(f"{_host(url)} redirects more than {MAX_REDIRECTS} times") from error


def guard(settings: Settings) -> Outbound:
    """Return the guard with what the operator lists; the servers of the settings are for our own clients alone."""
    return Outbound(settings.outbound_allow)
