"""What post-response modules leave for the next turn (seed 001)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Query, Session, mapped_column, relationship

from shared.domain.stages import ExecutionStage
from shared.models.base import Base, Identified, Timestamped, enum_by_value, json_object
from shared.models.modules import Module


class ConversationState(Identified, Timestamped, Base):
    """The latest variables of one module in one conversation."""

    __tablename__ = "conversation_states"
    __table_args__ = (UniqueConstraint("conversation_id", "module_id", "execution_stage"),)

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    module_id: Mapped[UUID] = mapped_column(ForeignKey("modules.id", ondelete="CASCADE"), index=True)
    execution_stage: Mapped[ExecutionStage] = mapped_column(enum_by_value(ExecutionStage))
    variables: Mapped[dict[str, Any]] = json_object()
    execution_metadata: Mapped[dict[str, Any]] = json_object()
    executed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    module: Mapped[Module] = relationship()

    @classmethod
    def get_for_conversation(cls, db: Session, conversation_id: UUID) -> Query[ConversationState]:
        """Return a query of the conversation's states, newest first."""
        mine = db.query(cls).filter(cls.conversation_id == conversation_id)
        return mine.order_by(cls.executed_at.desc(), cls.id)

    @classmethod
    def get_latest_for_module(cls, db: Session, conversation_id: UUID, module_id: UUID) -> ConversationState | None:
        """Return the module's newest state in the conversation."""
        return cls.get_for_conversation(db, conversation_id).filter(cls.module_id == module_id).first()

    @classmethod
    def store_execution_result(
        cls,
        db: Session,
        conversation_id: UUID,
        module_id: UUID,
        execution_stage: ExecutionStage | str,
        variables: dict[str, Any],
        execution_metadata: dict[str, Any] | None = None,
    ) -> ConversationState:
        """Write a module's variables over those of its last run in the conversation; the caller commits."""
        result = {
            "variables": variables,
            "execution_metadata": execution_metadata or {},
            "executed_at": func.clock_timestamp(),
        }
        key = {"conversation_id": conversation_id, "module_id": module_id, "execution_stage": execution_stage}
        stored = (
            insert(cls)
            .values(**key, **result)
            .on_conflict_do_update(index_elements=list(key), set_=result | {"updated_at": func.clock_timestamp()})
            .returning(cls)
        )
        return db.scalars(stored, execution_options={"populate_existing": True}).one()

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON-ready values, with its module's name."""
        return {
            "id": str(self.id),
            "conversation_id": str(self.conversation_id),
            "module_id": str(self.module_id),
            "module_name": self.module.name,
            "execution_stage": str(self.execution_stage),
            "variables": self.variables,
            "execution_metadata": self.execution_metadata,
            "executed_at": self.executed_at.isoformat(),
        }
