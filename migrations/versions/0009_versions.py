"""Rows of work say which version of the code may take them, and workers which they have: updates are rolled out."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = (
    "fetches",
    "memory_windows",
    "module_executions",
    "passage_embeddings",
    "runstep",
    "turns",
    "webhook_deliveries",
)


def upgrade() -> None:
    """Add columns with a constant default, which rewrites no row."""
    for table in TABLES:
        op.add_column(table, _version("needs_version"))
    op.add_column("workercheckin", _version("version"))


def _version(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="1", nullable=False)


def downgrade() -> None:
    op.drop_column("workercheckin", "version")
    for table in reversed(TABLES):
        op.drop_column(table, "needs_version")
