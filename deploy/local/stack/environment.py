"""How a command reaches the embedded stack: through the variables that its children have."""

import os

from deploy.local.data import state
from deploy.local.data.folder import Folder
from shared.settings import Settings, get_settings

SERVERS = {"PERSONAE_DATABASE_URL": "database_url", "PERSONAE_REDIS_URL": "redis_url"}


class NotRunning(Exception):
    """Settings name no server, and no embedded stack runs."""


def folder_of(settings: Settings) -> Folder:
    """Return the settings' data directory."""
    return Folder(settings.data_dir)


def adopt_stack() -> Settings:
    """Point this process at the running stack where its settings name no server; raises NotRunning without one."""
    settings = get_settings()
    running = state.find_running(folder_of(settings))
    if running is None and settings.database_url is None:
        raise NotRunning("no database: run `personae up` first, or set PERSONAE_DATABASE_URL")
    for name, value in (running.environment if running else {}).items():
        if getattr(settings, SERVERS.get(name, ""), None) is None:
            os.environ.setdefault(name, value)
    get_settings.cache_clear()
    return get_settings()
