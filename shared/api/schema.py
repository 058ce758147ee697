"""Bring the database's schema to where the code expects it, or take it away."""

from importlib.util import find_spec

from alembic import command
from alembic.config import Config
from sqlalchemy import inspect

from shared.db import get_engine
from shared.errors import Refused
from shared.settings import get_settings


def init_db() -> list[str]:
    """Migrate the database to the newest revision and return the names of its tables; again, and nothing changes."""
    command.upgrade(_configuration(), "head")
    return sorted(inspect(get_engine()).get_table_names())


def drop_db() -> None:
    """Delete every table and all data; raises Refused unless PERSONAE_ALLOW_DROP is set."""
    if not get_settings().allow_drop:
        raise Refused("this would delete all data: set PERSONAE_ALLOW_DROP=true if that is what you want")
    command.downgrade(_configuration(), "base")


def reset_db() -> list[str]:
    """Delete all data and make the tables anew; raises Refused unless PERSONAE_ALLOW_DROP is set."""
    drop_db()
    return init_db()


def _configuration() -> Config:
    """Find the migrations by their package: the working directory may be any."""
    package = find_spec("migrations")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the package `migrations` is not installed beside `shared`")
    configuration = Config()
    configuration.set_main_option("script_location", package.submodule_search_locations[0])
    return configuration
