"""No way to the inside for what users supply."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import httpx
import pytest

from shared.errors import Invalid, Refused, Rejected, TooLarge, Transient
from shared.providers.network import outbound as outbound_module
from shared.providers.network.outbound import Outbound, guard
from shared.settings import Settings

PUBLIC = "93.184.216.34"
pytestmark = pytest.mark.capability("C18")

Handler = Callable[[httpx.Request], httpx.Response]


def outbound(
    handler: Handler = lambda _: httpx.Response(200, text="hello"),
    *,
    addresses: Sequence[str] = (PUBLIC,),
    allow: str = "",
    clock: Callable[[], float] = lambda: 0.0,
) -> Outbound:
    return Outbound(
        allow, resolve=lambda host, port: addresses, transport=lambda: httpx.MockTransport(handler), clock=clock
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://127.8.8.8:8080/",
        "http://10.0.0.1/",
        "http://172.16.3.4/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://0.0.0.0/",
        "http://0/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
        "http://198.18.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127。0。0。1/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::a00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fc00::1]/",
        "http://[fe80::1]/",
        "http://[ff02::1]/",
        "http://user:secret@example.com/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "//example.com/",
        "http:///nowhere",
        "not a url",
    ],
)
def test_inside_addresses_are_refused_in_every_spelling(url: str) -> None:
    with pytest.raises(Refused):
        outbound().check(url)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "fe80::1%1"]
)
def test_names_that_lead_inside_are_refused(address: str) -> None:
    with pytest.raises(Refused):
        outbound(addresses=[address]).check("http://localhost.attacker.example/")


@pytest.mark.parametrize("name", ["localhost", "localhost.", "LOCALHOST", "ip6-localhost"])
def test_the_machines_own_names_are_refused_by_what_they_resolve_to(name: str) -> None:
    with pytest.raises(Refused):
        outbound(addresses=["127.0.0.1"]).check(f"http://{name}:8000/")


def test_one_inside_address_among_public_ones_refuses_the_name() -> None:
    with pytest.raises(Refused):
        outbound(addresses=[PUBLIC, "10.0.0.1"]).check("http://example.com/")


@pytest.mark.parametrize(
    "url", ["http://example.com/", f"https://{PUBLIC}/", "http://[2606:2800:220:1::1]/", "http://[::ffff:8.8.8.8]/"]
)
def test_public_addresses_pass(url: str) -> None:
    assert outbound().check(url)


def test_a_request_goes_to_the_checked_address_under_the_urls_own_name() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    outbound(answer).client().get("https://example.com/path")
    (request,) = seen
    assert (request.url.host, request.url.path) == (PUBLIC, "/path")
    assert request.headers["Host"] == "example.com"
    assert request.extensions["sni_hostname"] == "example.com"


def test_a_resolver_that_changes_its_answer_is_asked_once_per_request() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    reached: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append(request.url.host)
        return httpx.Response(200)

    guarded = Outbound(resolve=lambda host, port: next(answers), transport=lambda: httpx.MockTransport(answer))
    with guarded.client() as client:
        client.get("http://rebinding.example/")
        with pytest.raises(Refused):
            client.get("http://rebinding.example/")
    assert reached == [PUBLIC]


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "file:///etc/passwd", "http://2130706433/"],
)
def test_a_redirect_to_the_inside_is_refused(target: str) -> None:
    with pytest.raises(Refused):
        outbound(lambda _: httpx.Response(302, headers={"Location": target})).fetch("http://example.com/", max_bytes=9)


def test_redirects_end_after_five() -> None:
    calls: list[str] = []

    def onward(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        return httpx.Response(302, headers={"Location": f"/{len(calls)}"})

    with pytest.raises(Refused, match="redirects"):
        outbound(onward).fetch("http://example.com/", max_bytes=9)
    assert len(calls) == 6


def test_a_document_is_fetched_with_its_type() -> None:
    answer = httpx.Response(200, stream=httpx.ByteStream(b"hello"), headers={"Content-Type": "text/html"})
    fetched = outbound(lambda _: answer).fetch("http://example.com/a", max_bytes=5)
    assert fetched == ("http://example.com/a", "text/html", b"hello")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(lambda: httpx.Response(200, content=b"123456"), id="announced"),
        pytest.param(lambda: httpx.Response(200, content=iter([b"123", b"456"])), id="streamed"),
    ],
)
def test_a_document_over_the_limit_is_too_large(response: Callable[[], httpx.Response]) -> None:
    with pytest.raises(TooLarge):
        outbound(lambda _: response()).fetch("http://example.com/", max_bytes=5)


def test_a_dripping_server_meets_the_deadline() -> None:
    clock = iter(range(0, 1000, 10))
    dripping = outbound(lambda _: httpx.Response(200, content=iter([b"."] * 100)), clock=lambda: float(next(clock)))
    with pytest.raises(Transient, match="longer"):
        dripping.fetch("http://example.com/", max_bytes=1000, seconds=30)


@pytest.mark.parametrize(("status", "error"), [(404, Rejected), (403, Rejected), (429, Transient), (503, Transient)])
def test_a_failing_page_is_final_or_transient(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        outbound(lambda _: httpx.Response(status)).fetch("http://example.com/", max_bytes=5)


def test_an_unasked_compression_is_refused_before_it_is_unpacked() -> None:
    packed = httpx.Response(200, stream=httpx.ByteStream(b"bomb"), headers={"Content-Encoding": "gzip"})
    with pytest.raises(Invalid):
        outbound(lambda _: packed).fetch("http://example.com/", max_bytes=5)


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:9000/", id="an address"),
        pytest.param("127.0.0.1:9000", "http://127.0.0.1:9000/", id="an address and port"),
        pytest.param("10.0.0.0/8, 192.168.0.0/16", "http://192.168.3.4/", id="a network"),
        pytest.param("10.0.0.0/8", "http://intranet.example/", id="a name that leads into a network"),
        pytest.param("Intranet.example", "http://intranet.example:81/", id="a name"),
        pytest.param("intranet.example:81", "http://intranet.example:81/", id="a name and port"),
        pytest.param("[::1]:80", "http://[::1]/", id="a v6 address and port"),
        pytest.param("::1", "http://[::1]:99/", id="a v6 address"),
    ],
)
def test_what_the_operator_lists_passes(allow: str, url: str) -> None:
    assert outbound(allow=allow, addresses=["10.1.2.3"]).check(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9001/", "http://127.0.0.2:9000/", "http://[::1]:9000/"])
def test_a_listed_place_opens_no_other(url: str) -> None:
    with pytest.raises(Refused):
        outbound(allow="127.0.0.1:9000").check(url)


def test_servers_that_the_operator_configured_are_not_for_users() -> None:
    settings = Settings(model_url="http://127.0.0.1:8020/v1", chat_url="http://[::1]:11434/v1")
    for url in ("http://127.0.0.1:8020/v1/models", "http://[::1]:11434/v1", "http://127.0.0.1:5432/"):
        with pytest.raises(Refused):
            guard(settings).check(url)


def test_a_refusal_does_not_tell_which_inside_address_a_name_has() -> None:
    with pytest.raises(Refused) as refusal:
        outbound(addresses=["10.1.2.3"]).check("http://intranet.example/")
    assert "10.1.2.3" not in str(refusal.value)


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """A real server that says what it is told, then a byte now and then, for as long as somebody listens."""
    servers: list[socket.socket] = []

    def serve(listener: socket.socket, beginning: bytes) -> None:
        with suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                peer.sendall(beginning)
                while True:
                    peer.sendall(b"x")
                    peer.settimeout(0.05)
                    with suppress(TimeoutError):
                        peer.recv(1 << 16)

    def start(beginning: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        servers.append(listener)
        threading.Thread(target=serve, args=(listener, beginning), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in servers:
        listener.close()


@pytest.mark.capability("C199")
@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="no status line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Drip: ", id="a header without end"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="a body without end"),
    ],
)
def test_one_deadline_covers_whatever_a_server_says_slowly(dripping: Callable[[bytes], str], beginning: bytes) -> None:
    with pytest.raises(Transient, match=r"longer than"):
        Outbound("127.0.0.1").fetch(dripping(beginning), max_bytes=1 << 30, seconds=0.3)


@pytest.mark.capability("C199")
def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_module, "DNS_SECONDS", 0.05)
    never = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        never.wait(30)
        return []

    with pytest.raises(Transient, match="name server"):
        Outbound(resolve=resolve).fetch("http://example.com/", max_bytes=1)
    never.set()


@pytest.mark.capability("C199")
@pytest.mark.parametrize("answers", [0, 1], ids=["at once", "after a redirect"])
def test_names_are_waited_for_no_longer_than_the_whole_may_take(answers: int) -> None:
    never, asked = threading.Event(), iter([[PUBLIC]] * answers)

    def resolve(host: str, port: int) -> Sequence[str]:
        if (known := next(asked, None)) is None:
            never.wait(30)
        return known or []

    def onward(_: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://other.example/"})

    started = time.monotonic()
    with pytest.raises(Transient):
        Outbound(resolve=resolve, transport=lambda: httpx.MockTransport(onward)).fetch(
            "http://example.com/", max_bytes=1, seconds=0.2
        )
    never.set()
    assert time.monotonic() - started < 5


def test_a_name_is_asked_for_once() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [PUBLIC]

    answer = httpx.Response(200, stream=httpx.ByteStream(b"hello"))
    Outbound(resolve=resolve, transport=lambda: httpx.MockTransport(lambda _: answer)).fetch(
        "http://example.com/", max_bytes=9
    )
    assert asked == ["example.com"]


def test_another_thread_ends_a_fetch(dripping: Callable[[bytes], str]) -> None:
    with pytest.raises(Transient):
        Outbound("127.0.0.1").fetch(
            dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
            max_bytes=1 << 30,
            on_open=lambda close: threading.Timer(0.1, close).start(),
        )


@pytest.mark.parametrize(
    "url", ["http://[", "ftp://example.com/", "http://a:b@example.com/", "http://127.0.0.1/", "http:///x"]
)
def test_what_is_wrong_by_its_form_is_refused_without_a_name_server(url: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("asked")

    with pytest.raises(Refused):
        Outbound(resolve=resolve).check_form(url)


def test_a_name_passes_by_its_form() -> None:
    Outbound(resolve=lambda host, port: ["10.0.0.1"]).check_form("http://intranet.example/")
