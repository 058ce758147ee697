"""Makes the stores fit for the code: `python -m deploy.local.stack.prepare [--create]`, in the stack's environment."""

import logging
import sys
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from typing import Any
from uuid import UUID

import psycopg2
from sqlalchemy.engine import make_url

from deploy.local.data import credentials
from deploy.local.data.addresses import driverless
from deploy.local.data.folder import Folder
from deploy.local.stack import migrations
from deploy.local.stack.plan import exists
from shared.db import get_session
from shared.models.base import DEFAULT_OWNER
from shared.queries.scope import Scope
from shared.settings import get_settings

log = logging.getLogger(__name__)
SCOPES = ("read", "chat", "write", "admin")


def create_database(url: str) -> None:
    """Create the URL's database on its server, unless it is there."""
    parts = make_url(url)
    server = driverless(parts.set(database="postgres").render_as_string(hide_password=False))
    with closing(psycopg2.connect(server)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (parts.database,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{parts.database}"')


def keep_first_key(folder: Folder) -> None:
    """Make the administrator's key once per database, and keep it with the other secrets."""
    keys: Any = import_module("shared.queries.accounts.keys")
    known = credentials.load_or_make(folder)
    with get_session() as session:
        if known.api_key_id is not None and session.get(keys.ApiKey, UUID(known.api_key_id)) is not None:
            return
        row, key = keys.add(session, Scope(DEFAULT_OWNER), name="first", scopes=SCOPES)
        session.flush()
        credentials.save(folder, replace(known, api_key=key, api_key_id=str(row.id)))


def main(*, create: bool) -> None:
    """Create the database, bring its schema up, and make the first key."""
    settings = get_settings()
    if create:
        create_database(settings.require_database_url())
    before, after = migrations.upgrade()
    log.info("schema %s -> %s", before or "empty", after or "empty")
    if added := migrations.add_defaults():
        log.info("added %s", ", ".join(added))
    if exists("shared.queries.accounts.keys"):
        keep_first_key(Folder(settings.data_dir))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main(create="--create" in sys.argv)
