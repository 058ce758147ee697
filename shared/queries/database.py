"""The database itself."""

from typing import Any

from sqlalchemy import func, inspect, select, text
from sqlalchemy.orm import Session


def describe(session: Session) -> dict[str, Any]:
    """Return the database's name, server version, newest migration and table names."""
    tables = sorted(inspect(session.connection()).get_table_names())
    migrated = "alembic_version" in tables
    return {
        "database": session.scalar(select(func.current_database())),
        "version": session.scalar(text("SHOW server_version")),
        "migration": session.scalar(text("SELECT version_num FROM alembic_version")) if migrated else None,
        "tables": [table for table in tables if table != "alembic_version"],
    }
