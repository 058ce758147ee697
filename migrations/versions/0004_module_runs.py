"""Modules run on demand, scripts are tested and templates resolved: work of an owner's that may have no module."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = "module_executions"
PURPOSES = ("stage", "run", "test", "resolve")
EMPTY = sa.text("'{}'::jsonb")
HAS_ITS_MODULE = "(module_id IS NOT NULL) = (purpose IN ('stage', 'run'))"


def upgrade() -> None:
    purpose = sa.Enum(*PURPOSES, name="purpose", native_enum=False, create_constraint=True, length=32)
    op.add_column(TABLE, sa.Column("owner_id", sa.String(64), server_default="default", nullable=False))
    op.add_column(TABLE, sa.Column("purpose", purpose, server_default="stage", nullable=False))
    for name in ("input", "trace"):
        op.add_column(TABLE, sa.Column(name, JSONB(), server_default=EMPTY, nullable=False))
    op.execute(
        "UPDATE module_executions SET owner_id = modules.owner_id, "
        "purpose = CASE WHEN turn_id IS NULL THEN 'run' ELSE 'stage' END "
        "FROM modules WHERE modules.id = module_executions.module_id "
        "AND (modules.owner_id <> 'default' OR turn_id IS NULL)"  # the others are as the defaults say: not rewritten
    )
    op.create_index("ix_module_executions_owner_id", TABLE, ["owner_id"])
    op.create_index(
        "ix_module_executions_on_demand", TABLE, ["completed_date"], postgresql_where=sa.text("turn_id IS NULL")
    )
    op.alter_column(TABLE, "module_id", nullable=True)
    op.create_check_constraint("has_its_module", TABLE, HAS_ITS_MODULE)


def downgrade() -> None:
    """Forget what ran without a module."""
    op.execute("DELETE FROM module_executions WHERE module_id IS NULL")
    op.drop_constraint(op.f("ck_module_executions_has_its_module"), TABLE)
    op.drop_index("ix_module_executions_on_demand")
    op.alter_column(TABLE, "module_id", nullable=False)
    for name in ("trace", "input", "purpose", "owner_id"):
        op.drop_column(TABLE, name)
