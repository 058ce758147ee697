"""Seed 000, Persona Marketplace: `from shared.api.marketplace import get_session, Persona`."""

from shared.api.schema import init_db
from shared.db import get_session
from shared.models import DataSource, IngestionJob, Persona

__all__ = ["DataSource", "IngestionJob", "Persona", "get_session", "init_db"]
