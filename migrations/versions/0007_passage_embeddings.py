"""Passages that no document brought are embedded: work of an owner's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE = "passage_embeddings"
TIME = sa.DateTime(timezone=True)
STATES = ("PENDING", "RUNNING", "COMPLETED", "ERROR", "FAILED", "CANCELLED")


def upgrade() -> None:
    states = sa.Enum(*STATES, name="runstatus", native_enum=False, create_constraint=True, length=32)
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("owner_id", sa.String(64), server_default="default", nullable=False),
        sa.Column("hashes", ARRAY(sa.String(64)), nullable=False),
        sa.Column("queue", sa.String(32), server_default="embedding", nullable=False),
        sa.Column("created_date", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("status", states, server_default="PENDING", nullable=False),
        sa.Column("status_message", sa.Text()),
        sa.Column("status_meta", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("worker_id", sa.String(200)),
        _number("retries", 3),
        *(_number(name) for name in ("priority", "fence", "retry", "crashes")),
        *(sa.Column(f"{name}_date", TIME) for name in ("start", "completed", "status")),
        *(sa.Column(name, TIME) for name in ("ready_at", "lease_until", "cancel_requested_at")),
        sa.CheckConstraint("retries > 0", name="retries_positive"),
    )
    _index()


def _number(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=str(default), nullable=False)


def _index() -> None:
    runnable = sa.text("status = 'PENDING' AND ready_at IS NOT NULL")
    op.create_index(f"ix_{TABLE}_runnable", TABLE, ["queue", sa.text("priority DESC"), "id"], postgresql_where=runnable)
    op.create_index(f"ix_{TABLE}_backoff", TABLE, ["ready_at"], postgresql_where=sa.text("status = 'ERROR'"))
    op.create_index(f"ix_{TABLE}_running", TABLE, ["id"], postgresql_where=sa.text("status = 'RUNNING'"))
    op.create_index(f"ix_{TABLE}_hashes", TABLE, ["hashes"], postgresql_using="gin")
    for name in ("owner_id", "completed_date"):
        op.create_index(f"ix_{TABLE}_{name}", TABLE, [name])


def downgrade() -> None:
    op.drop_table(TABLE)
