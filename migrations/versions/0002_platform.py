"""What the platform keeps: API keys, answers given once, the audit log, usage, provider profiles, webhooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.String(length=16)), nullable=False),
        sa.Column("created_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("expires_at", TIMESTAMP, nullable=True),
        sa.Column("revoked_at", TIMESTAMP, nullable=True),
        sa.Column("last_used_at", TIMESTAMP, nullable=True),
        sa.Column("owner_id", sa.String(length=64), server_default="default", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
        sa.UniqueConstraint("prefix", name="uq_api_keys_prefix"),
    )
    op.create_index("ix_api_keys_owner_id", "api_keys", ["owner_id"])
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("entity", sa.String(length=63), nullable=False),
        sa.Column("entity_id", sa.String(length=255), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=True),
        sa.Column("created_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("owner_id", sa.String(length=64), server_default="default", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_created_at", "audit_log", ["created_at"])
    op.create_index("ix_audit_log_owner_id", "audit_log", ["owner_id"])
    op.create_index("ix_audit_log_owner_id_entity_entity_id_id", "audit_log", ["owner_id", "entity", "entity_id", "id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", JSONB(), nullable=True),
        sa.Column("created_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_keys"),
        sa.UniqueConstraint("holder", "key", name="uq_idempotency_keys_holder_key"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "provider_profiles",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("provider_type", sa.String(length=50), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=True),
        sa.Column("options", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("api_key_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("owner_id", sa.String(length=64), server_default="default", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provider_profiles"),
        sa.UniqueConstraint("owner_id", "name", name="uq_provider_profiles_owner_id_name"),
    )
    op.create_index("ix_provider_profiles_owner_id", "provider_profiles", ["owner_id"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("owner_id", sa.String(length=64), server_default="default", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_owner_id", "webhooks", ["owner_id"])
    op.create_table(
        "usage",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column(
            "day", sa.Date(), server_default=sa.text("(clock_timestamp() AT TIME ZONE 'UTC')::date"), nullable=False
        ),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("owner_id", sa.String(length=64), server_default="default", nullable=False),
        sa.CheckConstraint("input_tokens >= 0 AND output_tokens >= 0 AND requests >= 0", name="not_negative"),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name="fk_usage_api_key_id_api_keys"),
        sa.PrimaryKeyConstraint("id", name="pk_usage"),
        sa.UniqueConstraint(
            "owner_id",
            "api_key_id",
            "model",
            "day",
            name="uq_usage_owner_id_api_key_id_model_day",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_usage_api_key_id", "usage", ["api_key_id"])
    op.create_index("ix_usage_owner_id", "usage", ["owner_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retries", sa.Integer(), server_default="3", nullable=False),
        sa.Column("created_date", TIMESTAMP, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "RUNNING",
                "COMPLETED",
                "ERROR",
                "FAILED",
                "CANCELLED",
                name="runstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="PENDING",
            nullable=False,
        ),
        sa.Column("status_date", TIMESTAMP, nullable=True),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("status_meta", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("start_date", TIMESTAMP, nullable=True),
        sa.Column("completed_date", TIMESTAMP, nullable=True),
        sa.Column("ready_at", TIMESTAMP, nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.String(length=200), nullable=True),
        sa.Column("lease_until", TIMESTAMP, nullable=True),
        sa.Column("cancel_requested_at", TIMESTAMP, nullable=True),
        sa.CheckConstraint("retries > 0", name="retries_positive"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_webhook_deliveries_webhook_id_webhooks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        sa.UniqueConstraint("delivery_id", name="uq_webhook_deliveries_delivery_id"),
    )
    op.create_index(
        "ix_webhook_deliveries_backoff",
        "webhook_deliveries",
        ["ready_at"],
        postgresql_where=sa.text("status = 'ERROR'"),
    )
    op.create_index(
        "ix_webhook_deliveries_runnable",
        "webhook_deliveries",
        ["queue", sa.text("priority DESC"), "id"],
        postgresql_where=sa.text("status = 'PENDING' AND ready_at IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_deliveries_running", "webhook_deliveries", ["id"], postgresql_where=sa.text("status = 'RUNNING'")
    )
    op.create_index("ix_webhook_deliveries_webhook_id", "webhook_deliveries", ["webhook_id"])


def downgrade() -> None:
    for table in (
        "webhook_deliveries",
        "webhooks",
        "provider_profiles",
        "usage",
        "audit_log",
        "idempotency_keys",
        "api_keys",
    ):
        op.drop_table(table)
