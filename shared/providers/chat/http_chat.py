"""Any OpenAI-compatible chat server over httpx: what makes it ours is that a blocked read can be interrupted."""

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Self

import httpx

from shared.errors import PersonaeError, Rejected
from shared.providers.chat import answers
from shared.providers.chat.chat import DEFAULTS, require_text
from shared.providers.chat.thinking import Piece, Revoked, Text
from shared.providers.chat.wire import ChatControls, ChatEvent, ChatMessage, End, ReplyReader, chat_request
from shared.providers.network import faults
from shared.providers.network.dialect import OPENAI, SYSTEM, Dialect
from shared.providers.network.interruption import Interruptible
from shared.settings import Settings

CONNECT_SECONDS = 3.0
MAX_IDLE_LANES = 32
LONGEST_REPLY = 1_000_000  # characters, thoughts among them: some servers go on for ever
ENOUGH = 40  # pieces of a reply that show that a model replies
ADAPTABLE = {400, 404, 422, 501}  # what servers answer to a request that they do not take


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
        self.dialects: dict[str, Dialect] = {}  # by model: how it was last spoken to with success

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
        if not response.is_success:
            raise self.refusal(response)
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

    def refusal(self, response: httpx.Response, said: str | None = None) -> PersonaeError:
        """Translate an answer that is no success."""
        return faults.of_response(self.server, response, said, secret=self._api_key)

    def failure(self, error: Any) -> PersonaeError:
        """Translate an error that comes inside an answer."""
        return faults.of_error(self.server, error, secret=self._api_key)

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


class Misunderstood(Exception):
    """The server refused how it was asked, and may take it otherwise."""


class HttpChatStream:
    """One reply of an OpenAI-compatible server."""

    def __init__(self, chat: HttpChat, request: dict[str, Any]) -> None:
        self._chat = chat
        self._request = request
        self._dialect = chat.dialects.get(request["model"], OPENAI)
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
                yield from self._converse()
        except PersonaeError:
            if not self._lane.is_closed:
                raise

    def _converse(self) -> Iterator[ChatEvent]:
        """Ask, and ask again in other words as long as refusals tell them."""
        while True:
            try:
                yield from self._receive()
            except Misunderstood:
                continue
            return

    def _receive(self) -> Iterator[ChatEvent]:
        lane = self._lane
        request = self._dialect.spoken(self._request)
        with lane.client.stream(
            "POST", lane.url, json=request, headers=self._chat.headers(), extensions={"trace": lane.trace}
        ) as response:
            if not response.is_success:
                self._fail(response)
            yield from self._read(response)

    def _fail(self, response: httpx.Response) -> NoReturn:
        said = answers.beginning(response.iter_bytes())
        if response.status_code in ADAPTABLE or SYSTEM.search(said):
            self._learn(said)
        raise self._chat.refusal(response, said)

    def _learn(self, refusal: str) -> None:
        """Raise Misunderstood where a refusal tells how to ask instead."""
        learned = self._dialect.learned(refusal, self._request)
        if learned is not None:
            self._dialect = learned
            raise Misunderstood

    def _read(self, response: httpx.Response) -> Iterator[ChatEvent]:
        reader, size = ReplyReader(), 0
        for piece in self._pieces(response, reader):
            yield piece
            size += 0 if isinstance(piece, Revoked) else len(piece.text)
            if size > LONGEST_REPLY:
                reader.cut()
                break
        yield from self._end(reader, is_read=size <= LONGEST_REPLY)

    def _pieces(self, response: httpx.Response, reader: ReplyReader) -> Iterator[Piece]:
        for event in answers.events_of(response.iter_bytes()):
            if event.kind == "error":
                self._refuse(reader, _read_error(event.data))
            for document in answers.documents(event.data):
                if document == answers.DONE:
                    reader.finish()
                else:
                    yield from self._read_document(reader, document)

    def _end(self, reader: ReplyReader, *, is_read: bool) -> Iterator[ChatEvent]:
        for event in reader.end():
            if isinstance(event, End):
                self._chat.dialects[self._request["model"]] = self._dialect
                self._is_whole = is_read
                yield event._replace(left_out=self._dialect.left_out(self._request))
            else:
                yield event

    def _read_document(self, reader: ReplyReader, data: str) -> Iterator[Piece]:
        chunk = answers.parse(data)
        if error := answers.error_in(chunk):
            self._refuse(reader, error)
        try:
            yield from reader.read(chunk)
        except (AttributeError, TypeError, RecursionError) as error:
            raise Rejected(f"{self._chat.server} does not stream in OpenAI's form: {answers.CHECK}") from error

    def _refuse(self, reader: ReplyReader, error: Any) -> NoReturn:
        """Raise what an error inside an answer means; before any word of a reply it may tell how to ask instead."""
        if not reader.is_reply:
            self._learn(str(error)[: answers.LONGEST_REFUSAL])
        raise self._chat.failure(error)


def _read_error(data: str) -> Any:
    """Return what an event named error tells: an object, that which it calls its error, or words."""
    try:
        said = answers.parse(data)
    except Rejected:
        return data
    return answers.error_in(said) or said


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
    """Have a reply to what a turn sends: that tries server, key, model and options. Raises what a turn would meet."""
    asked = [ChatMessage("system", "You answer in one word."), ChatMessage("user", "Say yes.")]
    controls = ChatControls(model=settings.chat_model, max_tokens=settings.chat_max_tokens)
    with (
        connect_chat(settings.model_copy(update={"chat_timeout": patience})) as chat,
        chat.stream(asked, controls) as stream,
    ):
        _require_reply(stream)


def _require_reply(events: Iterable[ChatEvent]) -> None:
    """Raise Rejected unless a reply has text; one that goes on longer than it must need not come to its end."""
    text = thinking = ""
    pieces = 0
    for event in events:
        match event:
            case End():
                require_text(text, thinking, event)
            case Revoked():
                text, thinking = "", text
            case Text(piece):
                text, pieces = text + piece, pieces + 1
            case _:
                thinking += event.text
        if pieces >= ENOUGH and text.strip():
            return
