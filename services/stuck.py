"""A process whose work does not come back ends, and whoever started it starts another."""

import faulthandler
import logging
import os
from collections.abc import Iterable

EXIT_CODE = 70
STDERR = 2

log = logging.getLogger(__name__)


def end_process(rows: Iterable[str]) -> None:
    """End this process, whose work on these rows ignores that it must stop: it holds a slot for nothing."""
    log.error("work does not come back: its process ends", extra={"rows": sorted(rows)})
    faulthandler.dump_traceback(STDERR)
    os._exit(EXIT_CODE)


def end_unless_called_within(seconds: float) -> None:
    """End this process, with the stack of every thread, unless this is called again in time.

    The clock is the library's own, without the interpreter: it also ends what native code holds still as a whole.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)
