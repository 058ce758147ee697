"""Is each server there that the settings name, and does it take our key and our model? For `/ready` and `doctor`."""

import time
from collections.abc import Callable
from typing import NamedTuple

import httpx
import redis
from pydantic import SecretStr
from sqlalchemy import Engine, NullPool, create_engine, select, text
from sqlalchemy.exc import NoResultFound, OperationalError, ProgrammingError, SQLAlchemyError

from shared.domain.retrieval import misfit
from shared.errors import PersonaeError, Rejected
from shared.models import EmbeddingModel
from shared.providers.chat.http_chat import check_chat
from shared.providers.embedding.client import check_embedding
from shared.providers.network import faults
from shared.settings import Settings

SOCKET_PATIENCE = 1.0
TRIAL_PATIENCE = 30.0  # seconds for a model to begin; one that computes on a processor may have others before us
WELL_FOR = 600.0  # seconds that a server's taking our key and model is believed
WELL_FOR_WORDS = 30.0  # that of an embedding server, which costs three words
BARE = "its schema is missing"

Check = Callable[[Settings], None]


def check_database(settings: Settings) -> None:
    """Raise unless a new connection finds a migrated database."""
    with _engine(settings).connect() as connection:
        connection.execute(text("SELECT version_num FROM alembic_version")).one()


def _engine(settings: Settings) -> Engine:
    url = settings.require_database_url()
    return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 2})


def try_embedding(settings: Settings, patience: float) -> None:
    """Have words embedded, and compare the vectors' length with those stored; a database that is away says nothing."""
    sent = check_embedding(settings, patience)
    stored = _stored_length(settings) if settings.database_url else None
    if stored not in (None, sent):
        raise Rejected(misfit(settings.embedding_model, stored, sent))


def _stored_length(settings: Settings) -> int | None:
    length = select(EmbeddingModel.dimensions).where(EmbeddingModel.name == settings.embedding_model)
    try:
        with _engine(settings).connect() as connection:
            return connection.scalar(length)
    except SQLAlchemyError:
        return None


def check_broker(settings: Settings) -> None:
    """Raise unless the broker answers."""
    url = settings.require_redis_url()
    with redis.Redis.from_url(url, socket_timeout=SOCKET_PATIENCE, socket_connect_timeout=SOCKET_PATIENCE) as client:
        client.ping()


class Server(NamedTuple):
    """A model server: what is asked of it, where it is, and its key."""

    part: str
    trial: Callable[[Settings, float], None]
    place: Callable[[Settings], tuple[str, SecretStr | None]]
    well_for: float = WELL_FOR

    def reach(self, settings: Settings) -> None:
        """Raise unless it answers at all; costs nothing there."""
        url, key = self.place(settings)
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        named = faults.name_server(self.part, url)
        with faults.translated(named):
            response = httpx.get(f"{url.rstrip('/')}/models", timeout=SOCKET_PATIENCE, headers=headers)
        if response.status_code in {401, 403} or response.is_server_error:  # many list no models, and yet serve one
            raise faults.of_response(named, response, secret=key.get_secret_value() if key else None)


CHAT = Server("chat", check_chat, lambda settings: (settings.chat_url or settings.model_url, settings.chat_api_key))
EMBEDDING = Server(
    "embedding",
    try_embedding,
    lambda settings: (settings.embedding_url or settings.model_url, settings.embedding_api_key),
    WELL_FOR_WORDS,
)


class Trial:
    """Uses a server as a turn would, which costs tokens: while all is well rarely, else each time it is asked."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._well_until = float("-inf")

    def __call__(self, settings: Settings) -> None:
        """Raise what a turn would meet."""
        if self._clock() < self._well_until:
            self._server.reach(settings)
            return
        self._server.trial(settings, TRIAL_PATIENCE)
        self._well_until = self._clock() + self._server.well_for


SAID: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((NoResultFound, ProgrammingError), BARE),
    ((OperationalError,), "it cannot be reached, or refuses the login"),
    ((redis.AuthenticationError,), "it refuses the password"),
    ((redis.RedisError,), "it cannot be reached"),
    ((UnicodeEncodeError,), "its URL or API key holds a character that cannot be sent"),
    ((httpx.InvalidURL, ValueError), "its URL cannot be understood"),
)


def explain(error: BaseException) -> str:
    """Say what is wrong, without what a foreign error's text may hold: an address, a password, a provider's words."""
    if isinstance(error, (PersonaeError, RuntimeError)):  # our own words; the latter name a setting that is missing
        return str(error)
    return next((said for kinds, said in SAID if isinstance(error, kinds)), type(error).__name__)
