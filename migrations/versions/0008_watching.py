"""How long the sweep has watched is known to every upkeep worker, and of each worker how much of it is stuck."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
COUNTS = {"slots": "1", "stuck": "0"}


def upgrade() -> None:
    op.create_table(
        "sweepwatch",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("last", TIME, nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    for name, default in COUNTS.items():
        op.add_column("workercheckin", sa.Column(name, sa.Integer(), server_default=default, nullable=False))


def downgrade() -> None:
    for name in COUNTS:
        op.drop_column("workercheckin", name)
    op.drop_table("sweepwatch")
