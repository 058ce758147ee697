"""The workers' entry point: `celery -A services.worker worker -Q …`, and the beat's."""

import os
import signal
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

from celery import signals
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from services import leases
from services.flag import STOPPING
from services.shares import SHARES
from services.upkeep.sweep import sweep
from services.work import Failed, answer
from shared.background import attempt, begin
from shared.db import get_session
from shared.logs import configure_logging
from shared.queries.kinds import KINDS
from shared.queries.work import engine
from shared.settings import get_settings
from shared.tasks import QUEUES, SWEEP, Queue, answers, celery_app

app = celery_app()
for _kind in KINDS.values():
    for _module in _kind.handlers:
        import_module(_module)
PATIENCE, PATIENCE_OF_CHILD = 30, 10  # leases: also a frozen worker has so long to wake up before it ends


def _register(queue: Queue) -> None:
    @app.task(name=answers(queue.name), shared=False, throws=(Failed,))
    def answer_bell(label: str = "") -> None:
        answer(queue)


for _queue in QUEUES:
    _register(_queue)


@app.task(name=SWEEP, shared=False, throws=(DBAPIError,))
def sweep_all() -> None:
    """Mend what faults left behind."""
    sweep()
    leases.keeper().took_work()


@signals.after_task_publish.connect(sender=SWEEP)
def _mark_sweep_rung(**_: Any) -> None:
    get_settings().beat_mark.touch()


@signals.setup_logging.connect
def _log_as_the_gateway_does(**_: Any) -> None:
    configure_logging(get_settings().log_level)


@signals.celeryd_init.connect
def _lead_own_group(sender: str, **_: Any) -> None:
    """Lead a process group, which a graceful stop ends as one."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    leases.IDENTITY.assume(sender, [])


@signals.worker_ready.connect
def _check_in(sender: Any, **_: Any) -> None:
    leases.IDENTITY.queues = sorted(sender.app.amqp.queues.consume_from)
    if "prefork" not in type(sender.pool).__module__:
        SHARES.divide(sender.pool.limit, leases.IDENTITY.queues)
        leases.IDENTITY.slots, leases.IDENTITY.patience = sender.pool.limit, PATIENCE
        leases.keeper()


@signals.worker_process_init.connect
def _check_in_child(**_: Any) -> None:
    leases.IDENTITY.queues = sorted(app.amqp.queues.consume_from)
    leases.IDENTITY.patience, leases.IDENTITY.is_replaced = PATIENCE_OF_CHILD, True
    leases.keeper()


@signals.worker_shutting_down.connect
def _hand_back(**_: Any) -> None:
    """Give back what is still running after the grace, by SQL from the main process.

    Prefork children hear no signal and work may not listen; their late settlements are refused by the fence.
    """
    STOPPING.set()
    begin("ending", _end)


def _end() -> None:
    attempt("handing back", _hand_back_later)
    _end_group()


def _hand_back_later() -> None:
    grace = get_settings().stop_grace_seconds
    time.sleep(grace)
    until = time.monotonic() + grace
    given = 0
    while time.monotonic() < until:
        more, left = _hand_back_now()
        given += more
        if given and not left:
            break
        time.sleep(0.1)  # a settlement is being written, or Celery is about to end by itself


def _end_group() -> None:
    """Kill every other process of this group, and end with 0: a graceful stop must not read like a lack of memory."""
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(ProcessLookupError):
            if pid != os.getpid() and os.getpgid(pid) == os.getpgrp():
                os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _hand_back_now() -> tuple[int, int]:
    """Hand back what can be, a table at a time; return how many rows were, and how many must wait."""
    given = left = 0
    for model in engine.models():
        with suppress(SQLAlchemyError), get_session() as session:
            back, waiting = engine.hand_back(session, model, leases.IDENTITY.main)
            given, left = given + back, left + waiting
    return given, left
