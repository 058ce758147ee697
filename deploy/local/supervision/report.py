"""What a supervisor tells whoever started it: one JSON line per event, until nobody reads any more."""

import json
import logging
import os
from typing import IO, Any, Literal

log = logging.getLogger(__name__)
Event = Literal["starting", "ready", "failed", "up", "exited", "restarting", "stopping", "stopped"]


class Report:
    """Writes events to a pipe and to the log."""

    def __init__(self, descriptor: int | None) -> None:
        self._pipe: IO[str] | None = None if descriptor is None else os.fdopen(descriptor, "w", buffering=1)

    def __call__(self, event: Event, name: str = "", **details: Any) -> None:
        """Tell one event."""
        log.info("%s %s %s", event, name, details or "")
        if self._pipe is None:
            return
        try:
            self._pipe.write(json.dumps({"event": event, "name": name, **details}) + "\n")
        except BrokenPipeError:  # `up --detach` has left
            self._pipe = None
