"""What an installation needs, each tried as it will be used."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from shared.errors import PersonaeError
from shared.providers.checks import BARE, CHAT, EMBEDDING, TRIAL_PATIENCE, check_broker, check_database, explain
from shared.settings import Settings

FAILURES = (PersonaeError, SQLAlchemyError, RedisError, httpx.InvalidURL, ValueError, RuntimeError, OSError)


class Examined(NamedTuple):
    """One thing that was tried: what is wrong with it, and what to do."""

    name: str
    what: str
    fault: str | None = None
    advice: str | None = None


Trials = Mapping[str, Callable[[], None]]


def of_stores(settings: Settings) -> Trials:
    """Return how the database and the broker are tried."""
    return {"database": lambda: check_database(settings), "broker": lambda: check_broker(settings)}


def of_providers(settings: Settings, patience: float = TRIAL_PATIENCE) -> Trials:
    """Return how both model servers are tried, with their keys and models."""
    return {
        "chat": lambda: CHAT.trial(settings, patience),
        "embedding": lambda: EMBEDDING.trial(settings, patience),
    }


def examine(settings: Settings, trials: Trials) -> list[Examined]:
    """Try all at once; takes as long as the slowest."""
    with ThreadPoolExecutor(len(trials)) as pool:
        return list(pool.map(lambda name: _examine(settings, name, trials[name]), trials))


def _examine(settings: Settings, name: str, trial: Callable[[], None]) -> Examined:
    what = _describe(settings)[name]
    try:
        trial()
    except FAILURES as error:
        fault = explain(error)
        return Examined(name, what, fault, _advise(settings, name, fault))
    return Examined(name, what)


def _describe(settings: Settings) -> dict[str, str]:
    return {
        "database": "answers, and has its schema",
        "broker": "answers",
        "chat": f"{settings.chat_model} answers",
        "embedding": f"{settings.embedding_model} answers",
    }


def _advise(settings: Settings, name: str, fault: str) -> str:
    if fault == BARE:
        return "run `personae db upgrade`"
    if name in ("chat", "embedding"):
        return _about_model(name.upper(), getattr(settings, f"{name}_url"))
    variable = {"database": "PERSONAE_DATABASE_URL", "broker": "PERSONAE_REDIS_URL"}[name]
    is_set = settings.database_url if name == "database" else settings.redis_url
    return f"check {variable}, and whether it runs there" if is_set else f"run `personae up`, or set {variable}"


def _about_model(part: str, url: str | None) -> str:
    check = f"check PERSONAE_{part}_URL, PERSONAE_{part}_API_KEY and PERSONAE_{part}_MODEL"
    return check if url else f"run `personae up` for the bundled one, or {check}"
