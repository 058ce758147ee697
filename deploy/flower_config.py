"""How Flower runs: behind a login, with its state kept. Its own `--options` and FLOWER_BASIC_AUTH complete this."""

import os
from typing import Any

from flower.api import BaseApiHandler
from flower.views import BaseHandler
from flower.views.monitor import Metrics
from tornado.web import HTTPError, authenticated

from shared.settings import get_settings

if not os.environ.get("FLOWER_BASIC_AUTH"):
    raise SystemExit("set FLOWER_BASIC_AUTH to user:password: Flower shows every task and must not be open")

metrics: Any = Metrics
metrics.get = authenticated(metrics.get)  # Flower leaves it open, and it names every worker and task


def _only_watch(self: Any) -> None:
    """Refuse what would stop workers or send tasks: what runs is the API's business, which knows owners and rows."""
    if self.request.method not in ("GET", "HEAD", "OPTIONS"):
        raise HTTPError(403, "Flower only watches here: cancel over the API")


handlers: tuple[Any, ...] = (BaseHandler, BaseApiHandler)
for handler in handlers:  # the login stays: each view checks it
    handler.prepare = _only_watch

basic_auth = [os.environ["FLOWER_BASIC_AUTH"]]
port = get_settings().flower_port
persistent = True
db = str(get_settings().data_dir / "flower.db")
state_save_interval = 30_000  # milliseconds; otherwise a kill loses everything since the start
tasks_columns = "name,args,state,received,runtime,worker,exception"
purge_offline_workers = 300  # seconds; a container made anew is a worker of another name
