"""People who talk to personas."""

from datetime import datetime
from uuid import UUID

from pydantic import EmailStr, Field

from gateway.schemas.base import Change, Input, Output, example
from gateway.schemas.paging import Page


class UserIn(Input):
    """A user to add, by any of the three."""

    model_config = example(external_id="auth|1", name="Ana", email="ana@example.org")

    external_id: str | None = Field(default=None, min_length=1, max_length=255)
    name: str | None = Field(default=None, max_length=255)
    email: EmailStr | None = Field(default=None, max_length=255)


class KnownUserIn(Input):
    """A user whom the caller knows by an identifier of its own: found, or added."""

    model_config = example(external_id="auth|2", name="Dan")

    external_id: str = Field(min_length=1, max_length=255)
    name: str | None = Field(default=None, max_length=255)
    email: EmailStr | None = Field(default=None, max_length=255)


class UserChange(Change):
    """What to change of a user."""

    model_config = example(name="Ana Maria")

    name: str | None = Field(default=None, max_length=255)
    email: EmailStr | None = Field(default=None, max_length=255)


class UserOut(Output):
    """A user."""

    id: UUID
    external_id: str | None
    name: str | None
    email: str | None
    created_at: datetime
    updated_at: datetime


class KnownUserOut(Output):
    """A user, and whether it had to be added."""

    user: UserOut
    created: bool


class UserPage(Page[UserOut]):
    """Users, oldest first."""
