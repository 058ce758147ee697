"""Any OpenAI-compatible chat server over httpx: what makes it ours is that a blocked read can be interrupted."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Self

import httpx

from shared.errors import PersonaeError, Rejected
from shared.providers import faults
from shared.providers.chat import DEFAULTS
from shared.providers.interruption import Interruptible
from shared.providers.wire import DONE, ChatControls, ChatEvent, ChatMessage, ReplyReader, chat_request, read_events
from shared.settings import Settings

CONNECT_SECONDS = 3.0
MAX_IDLE_LANES = 32
TRIAL_TOKENS = 16  # some servers refuse fewer


class HttpChat:
    """An OpenAI-compatible `/v1/chat/completions`; connections are kept between replies."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 300.0,
        transport: Callable[[], httpx.BaseTransport] | None = None,
    ) -> None:
        self.model = model
        self.server = faults.name_server("chat", url)
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout = httpx.Timeout(timeout, connect=CONNECT_SECONDS)
        self._transport = transport
        # One context for all connections: each takes 20 ms to make, and without TLS none is needed.
        self._verify = ssl.create_default_context() if url.startswith("https") else False
        self._idle: list[Lane] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().client.close()

    def stream(self, messages: Sequence[ChatMessage], controls: ChatControls = DEFAULTS) -> "HttpChatStream":
        """Prepare a reply."""
        return HttpChatStream(self, chat_request(messages, controls, self.model))

    def list_models(self) -> list[dict[str, Any]]:
        """Return the provider's models in OpenAI's form; also the test of a connection. Raises as a stream does."""
        with self.connect() as client, faults.translated(self.server):
            response = client.get(f"{self._url}/models", headers=self.headers())
        self.require_success(response)
        try:
            return [dict(model) for model in response.json()["data"]]
        except (ValueError, TypeError, KeyError) as error:
            raise Rejected(f"{self.server} does not list models in OpenAI's form: check the URL") from error

    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}

    def connect(self) -> httpx.Client:
        """Open a client of one connection."""
        transport = self._transport() if self._transport else None
        return httpx.Client(
            transport=transport, verify=self._verify, timeout=self._timeout, limits=httpx.Limits(max_connections=1)
        )

    def require_success(self, response: httpx.Response) -> None:
        """Raise what an answer's status means."""
        if not response.is_success:
            raise faults.of_response(self.server, response, secret=self._api_key)

    def failure(self, error: Any) -> PersonaeError:
        """Translate an error that comes inside a stream."""
        said = error if isinstance(error, dict) else {"message": error}
        code = said.get("code") or said.get("status")
        status = code if isinstance(code, int) and code >= 400 else 500
        return faults.of_status(self.server, status, str(said.get("message")), secret=self._api_key)

    def take_lane(self) -> "Lane":
        """Return an idle connection, or a new one."""
        with suppress(IndexError):
            return self._idle.pop()
        return Lane(self.connect(), f"{self._url}/chat/completions")

    def give_back(self, lane: "Lane") -> None:
        """Keep a connection whose reply was read to the end."""
        if len(self._idle) < MAX_IDLE_LANES:
            self._idle.append(lane)
        else:
            lane.client.close()


class Lane(Interruptible):
    """A client of one connection, whose blocked read can be interrupted."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        super().__init__()
        self.client = client
        self.url = url


class HttpChatStream:
    """One reply of an OpenAI-compatible server."""

    def __init__(self, chat: HttpChat, request: dict[str, Any]) -> None:
        self._chat = chat
        self._request = request
        self._lane = chat.take_lane()
        self._is_whole = False
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:  # from here on the connection may be another reply's
            self._is_over = True
        if self._is_whole and not self._lane.is_closed:
            self._chat.give_back(self._lane)
        else:
            self._lane.interrupt()
            self._lane.client.close()

    def close(self) -> None:
        """Give up: the reading thread's iteration ends; a reply that is over is left alone."""
        with self._lock:
            if not self._is_over:
                self._lane.interrupt()

    def __iter__(self) -> Iterator[ChatEvent]:
        if self._lane.is_closed:
            return
        try:
            with faults.translated(self._chat.server):
                yield from self._receive()
        except PersonaeError:
            if not self._lane.is_closed:
                raise

    def _receive(self) -> Iterator[ChatEvent]:
        lane = self._lane
        with lane.client.stream(
            "POST", lane.url, json=self._request, headers=self._chat.headers(), extensions={"trace": lane.trace}
        ) as response:
            if not response.is_success:
                response.read()
            self._chat.require_success(response)
            yield from self._read(response)

    def _read(self, response: httpx.Response) -> Iterator[ChatEvent]:
        reader = ReplyReader()
        for data in _events(response):
            for document in _documents(data):
                if document == DONE:
                    reader.finish()
                else:
                    yield from self._read_event(reader, document)
        yield from reader.end()
        self._is_whole = True

    def _read_event(self, reader: ReplyReader, data: str) -> Iterator[ChatEvent]:
        try:
            chunk = json.loads(data)
            if chunk.get("error"):
                raise self._chat.failure(chunk["error"])
            yield from reader.read(chunk)
        except (ValueError, AttributeError, TypeError) as error:
            raise Rejected(f"{self._chat.server} does not stream in OpenAI's form: check the URL") from error


def _events(response: httpx.Response) -> Iterator[str]:
    """Yield the data of each event; a server that ignored `stream` answers one object, which is whole."""
    if not response.headers.get("content-type", "").startswith("application/json"):
        yield from read_events(response.iter_bytes())
        return
    body = response.read()
    whole = body.decode("utf-8-sig", "replace").strip()
    yield from [whole, DONE] if whole.startswith("{") else read_events([body])


def _documents(data: str) -> list[str]:
    """Return an event's JSON; lines that are not JSON together are events of a server that leaves no blank lines."""
    with suppress(ValueError):
        json.loads(data)
        return [data]
    return [line for line in data.split("\n") if line.strip()]


def connect_chat(settings: Settings) -> HttpChat:
    """Return the chat server that the settings name."""
    key = settings.chat_api_key
    return HttpChat(
        settings.chat_url or settings.model_url,
        settings.chat_model,
        api_key=key.get_secret_value() if key else None,
        timeout=settings.chat_timeout,
    )


def check_chat(settings: Settings, patience: float) -> None:
    """Have a reply begun: that tries the server, the key and the model. Raises what a turn would meet."""
    question = [ChatMessage("user", "Say yes.")]
    with (
        connect_chat(settings.model_copy(update={"chat_timeout": patience})) as chat,
        chat.stream(question, ChatControls(max_tokens=TRIAL_TOKENS)) as stream,
    ):
        next(iter(stream), None)
