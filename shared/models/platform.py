"""What the platform itself keeps: keys, answers given once, who did what, use, webhooks, provider profiles."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Audited, Base, Identified, Numbered, Owned, Timestamped, Work, json_object


class ApiKey(Audited, Identified, Owned, Base):
    """A key to the gateway; the key itself is shown once, and only its hash is kept."""

    __tablename__ = "api_keys"

    name: Mapped[str] = mapped_column(String(255))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class IdempotencyKey(Numbered, Base):
    """The answer to a request that may be sent twice; its unique row is what parallel senders wait on."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("holder", "key"), Index(None, "created_at"))

    holder: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class AuditEntry(Numbered, Owned, Base):
    """One change that somebody made through the gateway."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "owner_id", "entity", "entity_id", "id"), Index(None, "created_at"))

    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(16))
    entity: Mapped[str] = mapped_column(String(63))
    entity_id: Mapped[str | None] = mapped_column(String(255))
    request: Mapped[str | None]
    correlation_id: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Usage(Numbered, Owned, Base):
    """Tokens and requests of one key, model and day."""

    __tablename__ = "usage"
    __table_args__ = (
        UniqueConstraint("owner_id", "api_key_id", "model", "day", postgresql_nulls_not_distinct=True),
        CheckConstraint("input_tokens >= 0 AND output_tokens >= 0 AND requests >= 0", name="not_negative"),
    )

    api_key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
    model: Mapped[str] = mapped_column(String(255))
    day: Mapped[date] = mapped_column(server_default=text("(clock_timestamp() AT TIME ZONE 'UTC')::date"))
    requests: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class ProviderProfile(Audited, Identified, Timestamped, Owned, Base):
    """A provider as its owner configured it, so that no request needs to carry its key."""

    __tablename__ = "provider_profiles"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    name: Mapped[str] = mapped_column(String(255))
    provider_type: Mapped[str] = mapped_column(String(50))
    base_url: Mapped[str]
    model: Mapped[str | None] = mapped_column(String(255))
    options: Mapped[dict[str, Any]] = json_object()
    api_key_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)


class Webhook(Audited, Identified, Timestamped, Owned, Base):
    """Where an owner wants to hear of events; the secret signs each delivery."""

    __tablename__ = "webhooks"

    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    secret_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))


class WebhookDelivery(Work):
    """One event on its way to one webhook; the receiver knows a repetition by `delivery_id`."""

    __tablename__ = "webhook_deliveries"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    delivery_id: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid(), unique=True)
    event: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    response_status: Mapped[int | None]
