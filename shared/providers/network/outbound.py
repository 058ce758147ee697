"""The guard: what users supply (URLs, webhooks, provider profiles) reaches public addresses only.

The address that was checked is the one that is connected to, and every redirect is checked like the first URL.
"""

import queue
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from shared.background import begin, later, tried
from shared.errors import Invalid, Refused, Rejected, TooLarge, Transient
from shared.providers.network import faults
from shared.providers.network.addresses import (
    AllowList,
    Resolve,
    is_public,
    literal,
    parse_allow_list,
    resolve_host,
    unwrap,
)
from shared.providers.network.interruption import Interruptible, OnOpen
from shared.settings import Settings

MAX_REDIRECTS = 5
DNS_SECONDS = 10.0
HOST = re.compile(r"[\w.-]+|[0-9a-f.]*:[0-9a-f:.]+(%\w+)?", re.IGNORECASE)
PORTS = {"http": 80, "https": 443}
ENDS_AT = "personae_ends_at"  # an extension of our own: when the whole must have ended, by the guard's clock


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
        return self.addresses(_parsed(url))

    def check_form(self, url: str) -> None:
        """Refuse what no name server needs to be asked about: the scheme, a password, a forbidden address."""
        parsed = _parsed(url)
        host, _ = self._place(parsed)
        if literal(host) is not None:
            self.addresses(parsed)

    def addresses(self, url: httpx.URL, ends_at: float | None = None) -> list[str]:
        """Resolve, until then at most, and check; one forbidden address among several refuses them all.

        Raises Refused, Transient.
        """
        host, port = self._place(url)
        spelled = literal(host)
        found = [str(spelled)] if spelled else list(self._resolved(host, port, ends_at))
        if not found or not (self._allow.allows_name(host, port) or all(map(self._may_reach, found))):
            raise Refused(f"{host} does not lead to a public address")
        return found

    def _place(self, url: httpx.URL) -> tuple[str, int]:
        if url.scheme not in PORTS:
            raise Refused(f"only http and https are allowed, not {url.scheme or 'a URL without a scheme'}")
        if url.userinfo:
            raise Refused("a URL may not hold a user name or password")
        host = url.host.rstrip(".").lower()
        if not host:
            raise Refused("the URL names no host")
        if not HOST.fullmatch(host):
            raise Refused("the URL's host is no name and no address")
        return host, url.port or PORTS[url.scheme]

    def _resolved(self, host: str, port: int, ends_at: float | None) -> Sequence[str]:
        """Ask the resolver, which knows no time-out, in a thread that is left behind when it does not answer."""
        seconds = DNS_SECONDS if ends_at is None else min(DNS_SECONDS, self.require_time(host, ends_at))
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()
        begin(f"asking for {host}", lambda: self._resolve_into(answers, host, port))
        try:
            answer = answers.get(timeout=seconds)
        except queue.Empty:
            raise Transient(f"the name server did not answer for {host} in {seconds:.2g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _resolve_into(self, answers: "queue.SimpleQueue[Sequence[str] | Exception]", host: str, port: int) -> None:
        if error := tried(lambda: answers.put(self._resolve(host, port))):
            answers.put(error)

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

    def fetch(
        self, url: str, *, max_bytes: int, seconds: float = 30.0, on_open: OnOpen = lambda close: None
    ) -> Fetched:
        """Read a document of at most `max_bytes` in at most `seconds`, names, redirects and headers included.

        `on_open` is given what ends it, for another thread to call. Raises Refused, TooLarge, Rejected (a 4xx),
        Transient, Unavailable.
        """
        connection = Interruptible()
        on_open(connection.interrupt)
        watchdog = later("ending a fetch", seconds, connection.interrupt)
        try:
            return self._fetch(url, max_bytes, self._clock() + seconds, connection)
        except (Transient, Invalid, Rejected):
            if connection.is_closed:
                raise Transient(f"{_host(url)} took longer than {seconds:g} s") from None
            raise
        finally:
            watchdog.cancel()

    def _fetch(self, url: str, max_bytes: int, ends_at: float, connection: Interruptible) -> Fetched:
        self.check_form(url)
        with (
            _translated(url),
            self.client() as client,
            client.stream("GET", url, extensions={"trace": connection.trace, ENDS_AT: ends_at}) as response,
        ):
            _require_readable(response, url, max_bytes)
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > max_bytes:
                    raise TooLarge(f"{_host(url)} sends more than {max_bytes} bytes")
                self.require_time(_host(url), ends_at)
            if connection.is_closed:
                raise Transient(f"{_host(url)} was cut off")
            return Fetched(str(response.url), response.headers.get("Content-Type", ""), bytes(body))

    def require_time(self, host: str, ends_at: float) -> float:
        """Return how many seconds are left; raises Transient when none are."""
        left = ends_at - self._clock()
        if left <= 0:
            raise Transient(f"{host} took longer than it may")
        return left


class PinnedTransport(httpx.BaseTransport):
    """Resolves the name itself, and connects to the very address that it checked."""

    def __init__(self, outbound: Outbound, inner: httpx.BaseTransport) -> None:
        self._outbound = outbound
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Try the checked addresses in turn; raises Refused, or httpx's own errors."""
        failure: httpx.TransportError | None = None
        for address in self._outbound.addresses(request.url, request.extensions.get(ENDS_AT)):
            try:
                return self._inner.handle_request(self._in_time(pinned(request, address)))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("no address")

    def _in_time(self, request: httpx.Request) -> httpx.Request:
        """Let a connection be tried for no longer than is left of the whole; raises Transient."""
        if (ends_at := request.extensions.get(ENDS_AT)) is not None:
            left = self._outbound.require_time(request.url.host, ends_at)
            timeouts = request.extensions.get("timeout", {})
            request.extensions["timeout"] = timeouts | {"connect": min(left, timeouts.get("connect") or left)}
        return request

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


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise Refused("this is no URL") from error


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
