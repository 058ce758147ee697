"""Every table of the five seeds and ours: personas, conversations, knowledge, documents, and the work on them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REGCONFIG, TSVECTOR
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
NEW_ID = sa.text("gen_random_uuid()")
EMPTY = sa.text("'{}'::jsonb")

TABLES = (
    "documentbatch",
    "document",
    "documenturi",
    "documenturihistory",
    "documentbytes",
    "stepconfig",
    "configset",
    "configsetitem",
    "rungroup",
    "workflowrun",
    "runstep",
    "lifecyclehistory",
    "workercheckin",
    "persons",
    "person_data",
    "personas",
    "persona_versions",
    "ingestion_jobs",
    "data_sources",
    "users",
    "conversations",
    "messages",
    "modules",
    "turns",
    "turn_traces",
    "module_executions",
    "conversation_states",
    "memory_windows",
    "conversation_memories",
    "embedding_models",
    "embeddings",
    "knowledge_chunks",
)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    _create_documents()
    _create_workflows()
    _create_personas()
    _create_conversations()
    _create_turns()
    _create_memory()
    _create_knowledge()


def downgrade() -> None:
    """Drop the tables; the extension may be used by others and stays."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _uuid() -> sa.Column[UUID]:
    return sa.Column("id", sa.Uuid(), primary_key=True, server_default=NEW_ID)


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True)


def _owner() -> sa.Column[str]:
    return sa.Column("owner_id", sa.String(64), index=True, server_default="default", nullable=False)


def _times() -> tuple[sa.Column[datetime], ...]:
    return (
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
    )


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _collection_type() -> sa.Enum:
    return _enum("collectiontype", "works", "quotes", "profile")


def _step_type() -> sa.Enum:
    return _enum("workflowsteptype", "ingest", "validate", "parse", "chunk", "embed", "store", "enrich", "route")


def _progress() -> tuple[sa.Column[Any], ...]:
    states = _enum("runstatus", "PENDING", "RUNNING", "COMPLETED", "ERROR", "FAILED", "CANCELLED")
    return (
        sa.Column("status", states, server_default="PENDING", nullable=False),
        sa.Column("status_date", TIME),
        sa.Column("status_message", sa.Text()),
        sa.Column("status_meta", JSONB(), server_default=EMPTY, nullable=False),
    )


def _work(*, queue: str | None = None, priority: str = "0") -> tuple[SchemaItem, ...]:
    return (
        _number(),
        sa.Column("queue", sa.String(32), server_default=queue, nullable=False),
        sa.Column("priority", sa.Integer(), server_default=priority, nullable=False),
        sa.Column("retries", sa.Integer(), server_default="3", nullable=False),
        sa.Column("created_date", TIME, server_default=NOW, nullable=False),
        sa.Column("start_date", TIME),
        sa.Column("completed_date", TIME),
        *_progress(),
        sa.Column("ready_at", TIME),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.String(200)),
        sa.Column("lease_until", TIME),
        sa.Column("cancel_requested_at", TIME),
        sa.CheckConstraint("retries > 0", name="retries_positive"),
    )


def _index_work(table: str) -> None:
    """A claim reads the first index only, and costs the same whatever waits elsewhere."""
    runnable = sa.text("status = 'PENDING' AND ready_at IS NOT NULL")
    op.create_index(f"ix_{table}_runnable", table, ["queue", sa.text("priority DESC"), "id"], postgresql_where=runnable)
    op.create_index(f"ix_{table}_backoff", table, ["ready_at"], postgresql_where=sa.text("status = 'ERROR'"))
    op.create_index(f"ix_{table}_running", table, ["id"], postgresql_where=sa.text("status = 'RUNNING'"))


def _create_documents() -> None:
    op.create_table(
        "documentbatch",
        _number(),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("start_date", TIME, server_default=NOW, nullable=False),
        sa.Column("batch_params", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("completed_date", TIME),
        _owner(),
    )
    op.create_table(
        "document",
        sa.Column("hash", sa.String(128), primary_key=True),
        sa.Column("mime_type", sa.String(255), nullable=False),
        sa.Column("file_size", sa.BigInteger()),
        sa.Column("doc_meta", JSONB(), server_default=EMPTY, nullable=False),
    )
    op.create_table(
        "documenturi",
        _number(),
        sa.Column(
            "doc_hash", sa.String(128), sa.ForeignKey("document.hash", ondelete="RESTRICT"), index=True, nullable=False
        ),
        sa.Column("uri", sa.String(2000), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("mime_type", sa.String(255)),
        sa.Column("doc_meta", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), sa.ForeignKey("documentbatch.id", ondelete="SET NULL"), index=True),
        _owner(),
        sa.UniqueConstraint("owner_id", "uri", "source"),
    )
    op.create_index("idx_documenturi_source", "documenturi", ["source"])
    op.create_table(
        "documenturihistory",
        _number(),
        sa.Column(
            "doc_uri_id",
            sa.BigInteger(),
            sa.ForeignKey("documenturi.id", ondelete="CASCADE"),
            index=True,
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(128), nullable=False),
        sa.Column("process_date", TIME, server_default=NOW, nullable=False),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), sa.ForeignKey("documentbatch.id", ondelete="SET NULL"), index=True),
        sa.Column("histmeta", JSONB(), server_default=EMPTY, nullable=False),
    )
    op.create_table(
        "documentbytes",
        sa.Column("hash", sa.String(128), sa.ForeignKey("document.hash", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "artifact_type",
            _enum("artifacttype", "document", "parsed_markdown", "parsed_json", "chunks", "embeddings", "rag"),
            primary_key=True,
        ),
        sa.Column("storage_root", sa.String(255), primary_key=True),
        sa.Column("file_size", sa.BigInteger()),
        sa.Column("file_bytes", sa.LargeBinary(), nullable=False),
    )


def _create_workflows() -> None:
    op.create_table(
        "stepconfig",
        _number(),
        sa.Column("created_date", TIME, server_default=NOW),
        sa.Column("step_type", _step_type(), nullable=False),
        sa.Column("config_json", JSONB()),
        sa.Column("cuml_config_json", sa.Text()),
    )
    op.create_index(
        "uq_stepconfig_cumulative", "stepconfig", ["step_type", sa.text("md5(cuml_config_json)")], unique=True
    )
    op.create_table(
        "configset",
        _number(),
        sa.Column("yaml_id", sa.String(255), nullable=False),
        sa.Column("yaml_contents", sa.Text(), nullable=False),
        sa.Column("created_date", TIME, server_default=NOW),
    )
    op.create_index("uq_configset_contents", "configset", ["yaml_id", sa.text("md5(yaml_contents)")], unique=True)
    op.create_table(
        "configsetitem",
        sa.Column(
            "config_set_id",
            sa.BigInteger(),
            sa.ForeignKey("configset.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "config_id",
            sa.BigInteger(),
            sa.ForeignKey("stepconfig.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
            index=True,
        ),
    )
    op.create_table(
        "rungroup",
        _number(),
        sa.Column("name", sa.String(500)),
        sa.Column("workflow_definition_id", sa.String(255), nullable=False),
        sa.Column("param_definition_id", sa.String(255), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), sa.ForeignKey("documentbatch.id", ondelete="SET NULL")),
        sa.Column("created_date", TIME, server_default=NOW, nullable=False),
        *_progress(),
        sa.Column("start_date", TIME),
        sa.Column("completed_date", TIME),
        _owner(),
    )
    op.create_index("idx_rungroup_batch", "rungroup", ["batch_id"])
    op.create_table(
        "workflowrun",
        _number(),
        sa.Column("workflow_definition_id", sa.String(255), nullable=False),
        sa.Column(
            "run_group_id",
            sa.BigInteger(),
            sa.ForeignKey("rungroup.id", ondelete="CASCADE"),
            index=True,
            nullable=False,
        ),
        sa.Column("batch_id", sa.BigInteger(), sa.ForeignKey("documentbatch.id", ondelete="SET NULL"), index=True),
        sa.Column(
            "doc_id", sa.String(128), sa.ForeignKey("document.hash", ondelete="CASCADE"), index=True, nullable=False
        ),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_date", TIME, server_default=NOW, nullable=False),
        sa.Column("run_params", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("paused_at", TIME),
        *_progress(),
        sa.Column("start_date", TIME),
        sa.Column("completed_date", TIME),
    )
    op.create_index(
        "ix_workflowrun_unfinished",
        "workflowrun",
        ["run_group_id"],
        postgresql_where=sa.text("status IN ('PENDING', 'RUNNING', 'ERROR')"),
    )
    op.create_index("idx_workflowrun_status", "workflowrun", ["status", "batch_id"])
    op.create_table(
        "runstep",
        *_work(),
        sa.Column(
            "workflow_run_id", sa.BigInteger(), sa.ForeignKey("workflowrun.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("workflow_step_number", sa.Integer(), nullable=False),
        sa.Column("workflow_step_name", sa.String(255), nullable=False),
        sa.Column(
            "step_config_id",
            sa.BigInteger(),
            sa.ForeignKey("stepconfig.id", ondelete="RESTRICT"),
            index=True,
            nullable=False,
        ),
        sa.Column("step_type", _step_type(), nullable=False),
        sa.Column("is_last_step", sa.Boolean(), server_default="false", nullable=False),
        sa.UniqueConstraint("workflow_run_id", "workflow_step_number"),
    )
    _index_work("runstep")
    op.create_index("idx_runstep_status", "runstep", ["status", sa.text("priority DESC")])
    op.create_index("idx_runstep_worker", "runstep", ["worker_id"], postgresql_where=sa.text("status = 'RUNNING'"))
    op.create_table(
        "lifecyclehistory",
        _number(),
        sa.Column(
            "event",
            _enum(
                "lifecycleevent",
                "group_start",
                "group_end",
                "item_start",
                "item_end",
                "item_failed",
                "step_start",
                "step_end",
                "step_failed",
            ),
            nullable=False,
        ),
        sa.Column("handler_name", sa.String(255)),
        sa.Column(
            "run_group_id",
            sa.BigInteger(),
            sa.ForeignKey("rungroup.id", ondelete="CASCADE"),
            index=True,
            nullable=False,
        ),
        sa.Column("workflow_run_id", sa.BigInteger(), sa.ForeignKey("workflowrun.id", ondelete="CASCADE"), index=True),
        sa.Column("step_id", sa.BigInteger(), sa.ForeignKey("runstep.id", ondelete="CASCADE"), index=True),
        sa.Column("start_date", TIME, server_default=NOW, nullable=False),
        *_progress(),
        sa.Column("completed_date", TIME),
    )
    op.create_table(
        "workercheckin",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("first_checkin", TIME, server_default=NOW, nullable=False),
        sa.Column("last_checkin", TIME, server_default=NOW, nullable=False),
        sa.Column("queues", JSONB, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("last_claim", TIME),
    )
    op.create_index("idx_workercheckin_last", "workercheckin", ["last_checkin"])


def _create_personas() -> None:
    op.create_table(
        "persons",
        _uuid(),
        sa.Column("first_name", sa.String(255)),
        sa.Column("last_name", sa.String(255)),
        sa.Column("gender", sa.String(50)),
        *_times(),
        _owner(),
    )
    op.create_table(
        "person_data",
        _uuid(),
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("persons.id", ondelete="CASCADE"), nullable=False),
        sa.Column("raw_text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(255), server_default="api", nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_index("ix_person_data_person_id_created_at", "person_data", ["person_id", "created_at", "id"])
    op.create_table(
        "personas",
        _uuid(),
        sa.Column("slug", sa.String(120), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column(
            "status",
            _enum("personastatus", "draft", "ingesting", "active", "failed"),
            server_default="draft",
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("mode", _enum("personamode", "reactive", "autonomous"), server_default="reactive", nullable=False),
        sa.Column("loop_frequency", sa.Numeric(10, 3)),
        sa.Column("first_message", sa.Text()),
        sa.Column("image_path", sa.String(500)),
        sa.Column("extra_data", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("birth_year", sa.Integer()),
        sa.Column("death_year", sa.Integer()),
        sa.Column("speaking_style", sa.Text()),
        sa.Column("key_themes", sa.Text()),
        sa.Column("voice_prompt", sa.Text()),
        sa.Column("representative_quotes", sa.Text()),
        sa.Column("color", sa.String(32), server_default="#666666", nullable=False),
        sa.Column("works_top_k", sa.Integer()),
        sa.Column("quotes_top_k", sa.Integer()),
        sa.Column("profile_top_k", sa.Integer()),
        sa.Column("works_chunk_size", sa.Integer()),
        sa.Column("works_chunk_overlap", sa.Integer()),
        sa.Column("raw_text", sa.Text()),
        sa.Column("profile", JSONB()),
        sa.Column("person_id", sa.Uuid(), sa.ForeignKey("persons.id", ondelete="CASCADE"), unique=True),
        *_times(),
        _owner(),
        sa.CheckConstraint(
            "loop_frequency IS NULL OR (mode = 'autonomous' AND loop_frequency > 0)", name="loop_only_when_autonomous"
        ),
        sa.UniqueConstraint("owner_id", "slug"),
    )
    op.create_index("idx_personas_created_at", "personas", ["created_at"])
    op.create_index("idx_personas_updated_at", "personas", ["updated_at"])
    op.create_table(
        "persona_versions",
        _uuid(),
        sa.Column("persona_id", sa.Uuid(), sa.ForeignKey("personas.id", ondelete="CASCADE"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("raw_text", sa.Text()),
        sa.Column("profile", JSONB(), nullable=False),
        sa.Column("computed_from_data_ids", ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("version > 0", name="version_positive"),
        sa.UniqueConstraint("persona_id", "version"),
    )
    op.create_table(
        "ingestion_jobs",
        _uuid(),
        sa.Column(
            "persona_id", sa.Uuid(), sa.ForeignKey("personas.id", ondelete="CASCADE"), index=True, nullable=False
        ),
        sa.Column("collection_type", _collection_type(), nullable=False),
        sa.Column(
            "status",
            _enum("jobstatus", "pending", "processing", "completed", "failed"),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("progress", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_vectors", sa.Integer()),
        sa.Column("error_message", sa.Text()),
        sa.Column("started_at", TIME),
        sa.Column("completed_at", TIME),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("run_group_id", sa.BigInteger(), sa.ForeignKey("rungroup.id", ondelete="SET NULL"), index=True),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="progress_percent"),
    )
    op.create_table(
        "data_sources",
        _uuid(),
        sa.Column(
            "persona_id", sa.Uuid(), sa.ForeignKey("personas.id", ondelete="CASCADE"), index=True, nullable=False
        ),
        sa.Column("collection_type", _collection_type(), nullable=False),
        sa.Column("file_name", sa.String(500), nullable=False),
        sa.Column("file_path", sa.Text(), nullable=False),
        sa.Column("file_size_bytes", sa.BigInteger()),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("document_uri_id", sa.BigInteger(), sa.ForeignKey("documenturi.id", ondelete="SET NULL"), index=True),
    )


def _create_conversations() -> None:
    op.create_table(
        "users",
        _uuid(),
        sa.Column("external_id", sa.String(255)),
        sa.Column("name", sa.String(255)),
        sa.Column("email", sa.String(255)),
        *_times(),
        _owner(),
        sa.UniqueConstraint("owner_id", "email"),
        sa.UniqueConstraint("owner_id", "external_id"),
    )
    op.create_table(
        "conversations",
        _uuid(),
        sa.Column("persona_id", sa.Uuid(), sa.ForeignKey("personas.id", ondelete="CASCADE"), index=True),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("title", sa.String(500)),
        sa.Column("status", _enum("conversationstatus", "active", "archived"), server_default="active", nullable=False),
        sa.Column("provider_type", sa.String(50)),
        sa.Column("provider_config", JSONB()),
        *_times(),
        _owner(),
    )
    op.create_index("idx_conversation_created", "conversations", ["created_at"])
    op.create_index("idx_conversation_user_status", "conversations", ["user_id", "status"])
    op.create_table(
        "messages",
        _uuid(),
        sa.Column("position", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("role", _enum("messagerole", "user", "assistant", "system"), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("thinking", sa.Text()),
        sa.Column("extra_data", JSONB()),
        sa.Column("input_tokens", sa.Integer()),
        sa.Column("output_tokens", sa.Integer()),
        *_times(),
        sa.CheckConstraint("input_tokens >= 0", name="input_tokens_not_negative"),
        sa.CheckConstraint("output_tokens >= 0", name="output_tokens_not_negative"),
    )
    op.create_index("idx_message_conversation_created", "messages", ["conversation_id", "created_at"])
    op.create_index("idx_message_sender_type", "messages", ["role"])
    op.create_index("ix_messages_conversation_id_position", "messages", ["conversation_id", "position"], unique=True)


def _create_turns() -> None:
    op.create_table(
        "modules",
        _uuid(),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("content", sa.Text()),
        sa.Column("type", _enum("moduletype", "simple", "advanced"), server_default="simple", nullable=False),
        sa.Column("trigger_pattern", sa.String(500)),
        sa.Column("script", sa.Text()),
        sa.Column(
            "execution_context",
            _enum("executioncontext", "IMMEDIATE", "POST_RESPONSE", "ON_DEMAND"),
            server_default="ON_DEMAND",
            nullable=False,
        ),
        sa.Column("requires_ai_inference", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("script_analysis_metadata", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        *_times(),
        _owner(),
        sa.CheckConstraint("name ~ '^[A-Za-z][A-Za-z0-9_]{0,49}$'", name="name_can_be_referred_to"),
        sa.UniqueConstraint("owner_id", "name"),
    )
    op.create_index("ix_modules_stage", "modules", ["execution_context", "requires_ai_inference", "is_active"])
    op.create_table(
        "turns",
        *_work(queue="dialogue", priority="5"),
        sa.Column("conversation_id", sa.Uuid(), sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("user_message_id", sa.Uuid(), sa.ForeignKey("messages.id", ondelete="CASCADE"), index=True),
        sa.Column("assistant_message_id", sa.Uuid(), sa.ForeignKey("messages.id", ondelete="SET NULL"), index=True),
        sa.Column("options", JSONB(), server_default=EMPTY, nullable=False),
    )
    _index_work("turns")
    op.create_index("ix_turns_conversation_id_id", "turns", ["conversation_id", "id"])
    op.create_index(
        "ix_turns_blocked",
        "turns",
        ["conversation_id"],
        postgresql_where=sa.text("status = 'PENDING' AND ready_at IS NULL"),
    )
    op.create_table(
        "turn_traces",
        sa.Column(
            "turn_id",
            sa.BigInteger(),
            sa.ForeignKey("turns.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("trace", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_table(
        "module_executions",
        *_work(queue="modules"),
        sa.Column("turn_id", sa.BigInteger(), sa.ForeignKey("turns.id", ondelete="CASCADE"), index=True),
        sa.Column("conversation_id", sa.Uuid(), sa.ForeignKey("conversations.id", ondelete="CASCADE"), index=True),
        sa.Column("module_id", sa.Uuid(), sa.ForeignKey("modules.id", ondelete="CASCADE"), index=True, nullable=False),
        sa.Column("stage", sa.Integer()),
        sa.Column("variables", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("output", sa.Text()),
        sa.CheckConstraint("stage BETWEEN 1 AND 5", name="stage_known"),
    )
    _index_work("module_executions")
    op.create_table(
        "conversation_states",
        _uuid(),
        sa.Column("conversation_id", sa.Uuid(), sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("module_id", sa.Uuid(), sa.ForeignKey("modules.id", ondelete="CASCADE"), index=True, nullable=False),
        sa.Column("execution_stage", _enum("executionstage", "stage4", "stage5"), nullable=False),
        sa.Column("variables", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("execution_metadata", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("executed_at", TIME, server_default=NOW, nullable=False),
        *_times(),
        sa.UniqueConstraint("conversation_id", "module_id", "execution_stage"),
    )


def _create_memory() -> None:
    op.create_table(
        "memory_windows",
        *_work(queue="memory"),
        sa.Column("conversation_id", sa.Uuid(), sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("first_position <= last_position", name="ends_in_order"),
        sa.UniqueConstraint("conversation_id", "first_position"),
    )
    _index_work("memory_windows")
    op.create_table(
        "conversation_memories",
        _uuid(),
        sa.Column("conversation_id", sa.Uuid(), sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
        sa.Column("memory_sequence", sa.Integer(), nullable=False),
        sa.Column("compressed_content", sa.Text(), nullable=False),
        sa.Column("original_message_range", sa.String(20), nullable=False),
        sa.Column("message_count_at_compression", sa.Integer(), nullable=False),
        sa.Column("first_message_id", sa.String(100)),
        sa.Column("message_ids", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("window_id", sa.BigInteger(), sa.ForeignKey("memory_windows.id", ondelete="SET NULL"), index=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("length(compressed_content) > 0", name="content_not_empty"),
        sa.CheckConstraint("message_count_at_compression > 0", name="count_positive"),
        sa.CheckConstraint("memory_sequence > 0", name="sequence_positive"),
        sa.UniqueConstraint("conversation_id", "memory_sequence"),
    )


def _create_knowledge() -> None:
    op.create_table(
        "embedding_models",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            _enum("embeddingstate", "building", "serving", "retired"),
            server_default="building",
            nullable=False,
        ),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("dimensions > 0", name="dimensions_positive"),
    )
    op.create_table(
        "embeddings",
        sa.Column("content_hash", sa.String(64), primary_key=True),
        sa.Column(
            "model", sa.String(200), sa.ForeignKey("embedding_models.name", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("vector", HALFVEC(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_table(
        "knowledge_chunks",
        _uuid(),
        sa.Column("persona_id", sa.Uuid(), sa.ForeignKey("personas.id", ondelete="CASCADE")),
        sa.Column("collection_type", _collection_type()),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("external_id", sa.String(500)),
        sa.Column("title", sa.String(500)),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("chunk_metadata", JSONB()),
        sa.Column("doc_hash", sa.String(128), sa.ForeignKey("document.hash", ondelete="CASCADE"), index=True),
        sa.Column("document_uri_id", sa.BigInteger, sa.ForeignKey("documenturi.id", ondelete="CASCADE"), index=True),
        sa.Column("position", sa.Integer()),
        sa.Column("start_offset", sa.Integer()),
        sa.Column("end_offset", sa.Integer()),
        sa.Column("page", sa.Integer()),
        sa.Column("content_hash", sa.String(64), index=True, nullable=False),
        sa.Column("language", REGCONFIG(), server_default="simple", nullable=False),
        sa.Column("tsv", TSVECTOR(), nullable=False),
        *_times(),
        _owner(),
        sa.CheckConstraint("start_offset <= end_offset", name="offsets_in_order"),
    )
    op.create_index("idx_knowledge_created", "knowledge_chunks", ["created_at"])
    op.create_index("idx_knowledge_external_id", "knowledge_chunks", ["external_id"])
    op.create_index("idx_knowledge_source", "knowledge_chunks", ["source"])
    op.create_index(
        "ix_knowledge_chunks_persona_id_collection_type", "knowledge_chunks", ["persona_id", "collection_type"]
    )
    op.create_index("ix_knowledge_chunks_tsv", "knowledge_chunks", ["tsv"], postgresql_using="gin")
    op.create_index(
        "uq_knowledge_chunks_external_id",
        "knowledge_chunks",
        ["owner_id", "persona_id", "source", "external_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
