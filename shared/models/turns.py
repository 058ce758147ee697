"""Turns: a reply on its way, what it was made from, and the modules that run after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain import queues
from shared.domain.conversation import ReplyOptions
from shared.domain.lifecycle import RunStatus, quoted
from shared.domain.stages import Purpose, RunInput
from shared.domain.trace import RunTrace, Trace
from shared.models.base import Audited, Base, Owned, Work, enum_by_value, json_object

INTERACTIVE = 5
BLOCKED = f"status = {quoted(RunStatus.PENDING)} AND ready_at IS NULL"


class Turn(Work):
    """One reply to make: COMPLETED when the assistant's message is saved."""

    __tablename__ = "turns"

    queue: Mapped[str] = mapped_column(String(32), default=queues.DIALOGUE, server_default=queues.DIALOGUE)
    priority: Mapped[int] = mapped_column(default=INTERACTIVE, server_default=str(INTERACTIVE))
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    user_message_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    assistant_message_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("messages.id", ondelete="SET NULL"), index=True
    )
    options: Mapped[ReplyOptions] = json_object()

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """Add the order of a conversation's turns."""
        return (
            *super().work_table_args(),
            Index("ix_turns_conversation_id_id", "conversation_id", "id"),
            Index("ix_turns_blocked", "conversation_id", postgresql_where=text(BLOCKED)),
        )


class TurnTrace(Base):
    """How a reply came about: prompts by stage, passages, timings, warnings."""

    __tablename__ = "turn_traces"

    turn_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    trace: Mapped[Trace] = json_object()
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ModuleExecution(Audited, Owned, Work):
    """One run of a module after a reply or on demand, a script that is tested, or a template that is resolved.

    What follows a reply keeps its variables, so a fork sees the state of its turn.
    """

    __tablename__ = "module_executions"

    queue: Mapped[str] = mapped_column(String(32), default=queues.MODULES, server_default=queues.MODULES)
    purpose: Mapped[Purpose] = mapped_column(
        enum_by_value(Purpose), default=Purpose.STAGE, server_default=Purpose.STAGE.value
    )
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    module_id: Mapped[UUID | None] = mapped_column(ForeignKey("modules.id", ondelete="CASCADE"), index=True)
    stage: Mapped[int | None]
    input: Mapped[RunInput] = json_object()
    variables: Mapped[dict[str, Any]] = json_object()
    output: Mapped[str | None]
    trace: Mapped[RunTrace] = json_object()

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """Add that only stages 1 to 5 exist, and that a module is named where one runs."""
        return (
            *super().work_table_args(),
            CheckConstraint("stage BETWEEN 1 AND 5", name="stage_known"),
            CheckConstraint("(module_id IS NOT NULL) = (purpose IN ('stage', 'run'))", name="has_its_module"),
            Index("ix_module_executions_on_demand", "completed_date", postgresql_where=text("turn_id IS NULL")),
        )
