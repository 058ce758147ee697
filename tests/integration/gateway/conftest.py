"""The gateway in process, on a session that is rolled back, and clients that hold keys."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from gateway import create_app
from gateway.streaming import relay
from shared.db import Session
from shared.domain.access import Permission
from shared.queries.accounts import keys
from shared.queries.scope import Scope
from shared.settings import Settings, get_settings

ClientOf = Callable[..., FlaskClient]


def settings_for_tests(**values: object) -> Settings:
    """Settings that take nothing from the machine."""
    return Settings(_env_file=None, **values)


@pytest.fixture(autouse=True)
def stopped_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name a broker that nobody runs: routes write rows, and a bell that is not heard is no failure."""
    monkeypatch.setenv("PERSONAE_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PERSONAE_MIN_SIMILARITY", "-1")  # scripted vectors are less alike than a model's
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def app(tmp_path: Path) -> APIFlask:
    return create_app(settings_for_tests(data_dir=tmp_path))


def client_with(app: APIFlask, key: str) -> FlaskClient:
    """A client that presents the key with every request."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


@pytest.fixture
def issue(session: Session) -> Callable[..., keys.Issued]:
    """Make a key: `issue("read", owner="a")`."""

    def make(*scopes: str, owner: str = "default", **values: object) -> keys.Issued:
        return keys.add(session, Scope(owner), name="test", scopes=[Permission(name) for name in scopes], **values)

    return make


@pytest.fixture
def client_of(app: APIFlask, issue: Callable[..., keys.Issued]) -> ClientOf:
    """Make a client with a new key: `client_of("write", owner="a")`."""
    return lambda *scopes, owner="default": client_with(app, issue(*scopes, owner=owner).key)


@pytest.fixture
def admin(client_of: ClientOf) -> FlaskClient:
    return client_of("admin")


@pytest.fixture
def reader(client_of: ClientOf) -> FlaskClient:
    return client_of("read")


@pytest.fixture
def nobody(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def leaving() -> Iterator[None]:
    """A gateway that has been told to stop: it waits for nothing."""
    relay.LEAVING.set()
    yield
    relay.LEAVING.is_set = False
