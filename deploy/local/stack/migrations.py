"""The schema, from code: the same migrations as `alembic upgrade head`, with the place of the scripts known."""

from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from shared.db import get_engine, get_session
from shared.queries.personas import defaults
from shared.queries.scope import DEFAULT_SCOPE

SCRIPTS = Path(__file__).parents[3] / "migrations"


class Upgrade(NamedTuple):
    """Revisions before and after; None for a database without a schema."""

    before: str | None
    after: str | None


def current_revision() -> str | None:
    """Return the revision of the settings' database."""
    with get_engine().connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade() -> Upgrade:
    """Bring the settings' database to the newest revision; concurrent runners wait for one another."""
    before = current_revision()
    configuration = Config()
    configuration.set_main_option("script_location", str(SCRIPTS))
    command.upgrade(configuration, "head")
    return Upgrade(before, current_revision())


def add_defaults() -> list[str]:
    """Add the default persona and modules that are missing; return their names."""
    with get_session() as session:
        return defaults.add_defaults(session, DEFAULT_SCOPE)
