"""Documents that workers fetch from the web are work of their own."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = "fetches"
TIME = sa.DateTime(timezone=True)
EMPTY = sa.text("'{}'::jsonb")
STATES = ("PENDING", "RUNNING", "COMPLETED", "ERROR", "FAILED", "CANCELLED")
INDEXES: tuple[tuple[str, list[Any], str], ...] = (
    ("runnable", ["queue", sa.text("priority DESC"), "id"], "status = 'PENDING' AND ready_at IS NOT NULL"),
    ("backoff", ["ready_at"], "status = 'ERROR'"),
    ("running", ["id"], "status = 'RUNNING'"),
    ("ended", ["completed_date"], "status IN ('COMPLETED', 'FAILED', 'CANCELLED')"),
)


def upgrade() -> None:
    states = sa.Enum(*STATES, name="runstatus", native_enum=False, create_constraint=True, length=32)
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("owner_id", sa.String(64), server_default="default", nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("arrival", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("answer", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("queue", sa.String(32), server_default="modules", nullable=False),
        sa.Column("priority", sa.Integer(), server_default="5", nullable=False),
        sa.Column("retries", sa.Integer(), server_default="3", nullable=False),
        sa.Column("created_date", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("start_date", TIME),
        sa.Column("completed_date", TIME),
        sa.Column("status", states, server_default="PENDING", nullable=False),
        sa.Column("status_date", TIME),
        sa.Column("status_message", sa.Text()),
        sa.Column("status_meta", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("ready_at", TIME),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.String(200)),
        sa.Column("lease_until", TIME),
        sa.Column("cancel_requested_at", TIME),
        sa.CheckConstraint("retries > 0", name="retries_positive"),
    )
    op.create_index(f"ix_{TABLE}_owner_id", TABLE, ["owner_id"])
    for name, columns, where in INDEXES:
        op.create_index(f"ix_{TABLE}_{name}", TABLE, columns, postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_table(TABLE)
