"""Documents that lie somewhere on the web, to be fetched."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain import queues
from shared.domain.files import ArrivalAnswer, ArrivalRecord
from shared.domain.lifecycle import RunStatus, quoted
from shared.models.base import Audited, Owned, Work, json_object
from shared.models.turns import INTERACTIVE


class Fetch(Audited, Owned, Work):
    """One document to fetch and bring in: `arrival` says as what, `answer` what became of it.

    It waits on the queue of what somebody waits for: a fetch among the steps of documents would hold up its batch.
    """

    __tablename__ = "fetches"

    queue: Mapped[str] = mapped_column(String(32), default=queues.MODULES, server_default=queues.MODULES)
    priority: Mapped[int] = mapped_column(default=INTERACTIVE, server_default=str(INTERACTIVE))
    url: Mapped[str]
    arrival: Mapped[ArrivalRecord] = json_object()
    answer: Mapped[ArrivalAnswer] = json_object()

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """Add the order in which ended fetches are forgotten."""
        ended = text(f"status IN ({quoted(RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)})")
        return (*super().work_table_args(), Index("ix_fetches_ended", "completed_date", postgresql_where=ended))
