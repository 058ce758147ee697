"""Work whose every effect is counted; `tests.fakes.probe_app` is the worker app that does it."""

import ctypes
import os
import signal
import threading
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, MetaData, func, literal, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from services import leases
from services.work import register_handler
from shared.errors import Transient
from shared.models.base import Base, Work
from shared.queries import kinds
from shared.queries.kinds import Kind, Owner
from shared.queries.work import endings
from shared.queries.work.endings import Endings
from shared.tasks import DIALOGUE, EMBEDDING, INGESTION, MEMORY

# In a worker the probe is a table of work like any other; in the tests' process it is no table of ours.
apart = Base.metadata if "PROBE_WORKER" in os.environ else MetaData(naming_convention=Base.metadata.naming_convention)


class Probe(Work):
    """A row that does as `act` says: '', 'sleep N', 'fail', 'invalid', 'die', 'deaf N', at first 'hold', 'hang N'."""

    __tablename__ = "probe"
    metadata = apart

    act: Mapped[str] = mapped_column(default="")
    follower: Mapped[int | None] = mapped_column(BigInteger)


class Effect(Base):
    """One line for each time a probe's effect was committed."""

    __tablename__ = "probe_effect"
    metadata = apart

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    probe_id: Mapped[int] = mapped_column(BigInteger)
    fence: Mapped[int]
    worker: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def create_tables(session: Session) -> None:
    """Make the probe's tables in a database of the test's own."""
    apart.create_all(session.connection())


def load(session: Session, row: Probe) -> str:
    return row.act


def work(act: str) -> str:
    verb, _, argument = act.partition(" ")
    held = leases.current()
    assert held is not None
    match verb:
        case "sleep":
            stopped = threading.Event()
            held.closes(stopped.set)
            stopped.wait(float(argument))
            return "partial" if held.why == "cancel" else "whole"
        case "hold" if held.fence == 1:
            threading.Event().wait()
        case "deaf":
            threading.Event().wait(float(argument))
        case "hang" if held.fence == 1:  # as a library that never lets go of the interpreter
            ctypes.PyDLL(None).sleep(int(argument))
        case "fail":
            raise Transient("the probe was told to fail")
        case "invalid":
            raise ValueError("the probe was told to break")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
    return "whole"


def save(session: Session, row: Probe, value: str) -> None:
    session.add(Effect(probe_id=row.id, fence=row.fence, worker=leases.keeper().worker))


if apart is Base.metadata:
    owner = Owner(literal("nobody"))
    kinds.declare(Kind("probes", "a row that does as it is told", Probe, owner, handlers=(__name__,)))
else:  # whoever looks at every kind of work would look for its table
    endings.declare(Probe, Endings())
for queue in (DIALOGUE, MEMORY, INGESTION, EMBEDDING):
    register_handler(
        queue,
        Probe,
        load=load,
        work=work,
        save=save,
        max_runtime=float(os.environ.get("PROBE_MAX_RUNTIME", "600")),
    )


def add(session: Session, count: int = 1, **values: Any) -> list[int]:
    """Add runnable probes; return their ids."""
    defaults = {"queue": "dialogue", "ready_at": text("clock_timestamp()"), "retries": 3}
    probes = [Probe(**defaults | values) for _ in range(count)]
    session.add_all(probes)
    session.flush()
    return [probe.id for probe in probes]
