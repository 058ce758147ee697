"""The workers' entry point with the probe's kinds besides ours: `celery -A tests.fakes.probe_app worker`."""

from services.worker import app
from tests.fakes import probe

__all__ = ["app", "probe"]
