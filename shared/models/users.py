"""The people who talk to personas (seed 003)."""

from __future__ import annotations

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Audited, Base, Identified, Owned, Timestamped


class User(Audited, Identified, Timestamped, Owned, Base):
    """A chat user, known by an identifier of the caller's own, by e-mail, or by neither."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("owner_id", "external_id"), UniqueConstraint("owner_id", "email"))

    external_id: Mapped[str | None] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(255))
