"""Runs the migrations on the database of the settings, one runner at a time."""

from alembic import context
from sqlalchemy import Connection, text

from shared.db import get_engine
from shared.models import Base

MIGRATION_LOCK = 0x5045_5253  # "PERS": concurrent runners wait for one another


def _run(connection: Connection) -> None:
    connection.execute(text("SET LOCAL lock_timeout = '60s'"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            context.execute("SET LOCAL lock_timeout = '4s'")
            context.execute("SET LOCAL statement_timeout = 0")  # a large table is indexed for as long as it takes
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})"))
        connection.commit()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif given := context.config.attributes.get("connection"):
    _run(given)
else:
    with get_engine().connect() as connection:
        _run(connection)
