"""Modules that run after a reply or on demand, scripts and templates that are tried, declared as work."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from services.modules import after, on_demand, resolving
from services.work import register_handler
from shared.domain.stages import Purpose
from shared.models import ModuleExecution
from shared.tasks import MODULES


class Job(NamedTuple):
    """What is done for one purpose."""

    load: Callable[[Session, ModuleExecution], Any]
    work: Callable[[Any], Any]
    save: Callable[[Session, ModuleExecution, Any], None]


ON_DEMAND = Job(on_demand.load, on_demand.work, on_demand.save)
JOBS = {
    Purpose.STAGE: Job(after.load, after.work, after.save),
    Purpose.RUN: ON_DEMAND,
    Purpose.TEST: ON_DEMAND,
    Purpose.RESOLVE: Job(resolving.load, resolving.work, resolving.save),
}


def load(session: Session, row: ModuleExecution) -> tuple[Job, Any]:
    """Read what the row's purpose needs."""
    job = JOBS[row.purpose]
    return job, job.load(session, row)


def work(loaded: tuple[Job, Any]) -> Any:
    """Do what the row's purpose is."""
    job, value = loaded
    return job.work(value)


def save(session: Session, row: ModuleExecution, done: Any) -> None:
    """Write what was done."""
    JOBS[row.purpose].save(session, row, done)


execute = register_handler(MODULES, ModuleExecution, load=load, work=work, save=save, max_runtime=180.0)
