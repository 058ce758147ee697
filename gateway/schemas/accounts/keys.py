"""API keys."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import AwareDatetime, Field, field_validator

from gateway.schemas.base import Input, Output, example
from gateway.schemas.paging import Page
from shared.domain.access import Permission


class KeyIn(Input):
    """A key to make; `owner_id` is for the operator, who makes keys for other owners."""

    model_config = example(name="reading only", scopes=["read"])

    name: str = Field(min_length=1, max_length=255)
    scopes: list[Permission] = Field(min_length=1)
    owner_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    expires_at: AwareDatetime | None = None

    @field_validator("expires_at")
    @classmethod
    def _is_still_to_come(cls, expires_at: datetime | None) -> datetime | None:
        if expires_at is not None and expires_at <= datetime.now(UTC):
            raise ValueError("a key cannot be born expired")
        return expires_at


class KeyOut(Output):
    """A key by its name and prefix; the key itself is shown once, when it is made."""

    id: UUID
    owner_id: str
    name: str
    prefix: str
    scopes: list[Permission]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewKeyOut(KeyOut):
    """A new key, with the only sight of it."""

    key: str


class KeyPage(Page[KeyOut]):
    """Keys, newest first."""
