"""Memories say who wrote them, whether they are the head, and whether what they tell was changed since."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEQUENCE = "ck_conversation_memories_sequence_positive"


def upgrade() -> None:
    op.add_column("memory_windows", sa.Column("message_range", sa.String(20), nullable=False))
    op.create_unique_constraint(
        "uq_memory_windows_conversation_id_sequence", "memory_windows", ["conversation_id", "sequence"]
    )
    op.add_column("conversation_memories", sa.Column("model", sa.String(255), nullable=True))
    for name in ("is_head", "is_stale"):
        op.add_column(
            "conversation_memories", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )
    op.drop_constraint(op.f(SEQUENCE), "conversation_memories")
    op.create_check_constraint(
        op.f(SEQUENCE), "conversation_memories", "memory_sequence > 0 OR (is_head AND memory_sequence = 0)"
    )


def downgrade() -> None:
    """Forget the heads, which the older rule does not allow."""
    op.execute("DELETE FROM conversation_memories WHERE memory_sequence = 0")
    op.drop_constraint(op.f(SEQUENCE), "conversation_memories")
    op.create_check_constraint(op.f(SEQUENCE), "conversation_memories", "memory_sequence > 0")
    for name in ("is_stale", "is_head", "model"):
        op.drop_column("conversation_memories", name)
    op.drop_constraint("uq_memory_windows_conversation_id_sequence", "memory_windows")
    op.drop_column("memory_windows", "message_range")
