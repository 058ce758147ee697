"""What tables share: names for constraints, times, ids, owners, progress, and the life of work."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Identity,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    func,
    text,
)
from sqlalchemy import Enum as SqlalchemyEnum
from sqlalchemy import Uuid as SqlalchemyUuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, declared_attr, mapped_column

from shared.domain.lifecycle import Meta, RunStatus, quoted
from shared.logs import correlation

DEFAULT_OWNER = "default"

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Timestamp(TypeDecorator[datetime]):
    """timestamptz that accepts ISO text and reads naive times as UTC, as the seeds' examples write them."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        """Coerce to an aware time."""
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


class Id(TypeDecorator[UUID]):
    """uuid that accepts its text form, as the seeds' examples write it."""

    impl = SqlalchemyUuid
    cache_ok = True

    def process_bind_param(self, value: UUID | str | None, dialect: Dialect) -> UUID | None:
        """Coerce text; raises ValueError for text that is no UUID."""
        return UUID(value) if isinstance(value, str) else value


def enum_by_value(enum: type[Enum]) -> SqlalchemyEnum:
    """Store an enum by its value, as text with a CHECK: adding a member is then an ordinary migration."""
    return SqlalchemyEnum(
        enum,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=enum.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """The declarative base; see NAMING for constraint names."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Timestamp,
        UUID: Id,
        str: Text,
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
    }


JSON_OBJECT = JSONB(none_as_null=True)  # for columns whose keys are declared, as a TypedDict of `domain`


def json_object() -> MappedColumn[Any]:
    """Declare a JSON column that is an empty object unless something is given."""
    return mapped_column(JSON_OBJECT, default=dict, server_default=text("'{}'::jsonb"))


class Numbered:
    """A bigint key counted by the database, as seed 004's tables have."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-10)


class Identified:
    """A uuid key, there as soon as the object is made."""

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid(), sort_order=-10)

    def __init__(self, **values: Any) -> None:
        given = values.get("id")
        values["id"] = UUID(given) if isinstance(given, str) else given or uuid4()
        super().__init__(**values)


class Timestamped:
    """When the row was made and last changed, by the database's clock."""

    __mapper_args__: ClassVar[dict[str, Any]] = {"eager_defaults": True}  # both times outlive the session

    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


class Owned:
    """Whose row it is; queries filter by it through `queries.scope.owned`."""

    owner_id: Mapped[str] = mapped_column(String(64), default=DEFAULT_OWNER, server_default=DEFAULT_OWNER, index=True)


class Audited:
    """Something that people make, change and delete: what they do to it through the gateway is in the audit log."""

    __tablename__: str


class Timed:
    """Something that starts and ends."""

    start_date: Mapped[datetime | None]
    completed_date: Mapped[datetime | None]

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None until it has ended (seed 004)."""
        if self.start_date is None or self.completed_date is None:
            return None
        return (self.completed_date - self.start_date).total_seconds()


class Progress(Timed):
    """Something whose status is rolled up from, or tells about, work."""

    status: Mapped[RunStatus] = mapped_column(
        enum_by_value(RunStatus), default=RunStatus.PENDING, server_default=RunStatus.PENDING.value
    )
    status_date: Mapped[datetime | None]
    status_message: Mapped[str | None]
    status_meta: Mapped[Meta] = mapped_column(JSON_OBJECT, default=correlation, server_default=text("'{}'::jsonb"))


class Work(Numbered, Progress, Base):
    """A row of work: the columns of seed 004's RunStep, and what leases, fences and bells need.

    Only `queries/work/engine.py` writes `status`, its dates, and the columns from `fence` on. `ready_at` is also set by
    what unblocks a row (`queries/work/locks.py`), and cleared by a pause (`queries/workflows/control.py`).
    """

    __abstract__ = True
    version: ClassVar[int] = 1  # that new rows need; `Kind.version` says it

    queue: Mapped[str] = mapped_column(String(32))
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    retries: Mapped[int] = mapped_column(default=3, server_default="3")
    created_date: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    ready_at: Mapped[datetime | None]  # NULL: blocked; of an ERROR, when it is tried again
    fence: Mapped[int] = mapped_column(default=0, server_default="0")  # the number of the claim that may settle it
    retry: Mapped[int] = mapped_column(default=0, server_default="0")  # attempts that failed
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")  # attempts whose worker was lost
    worker_id: Mapped[str | None] = mapped_column(String(200))  # the process that claimed it last
    lease_until: Mapped[datetime | None]  # until when that process may hold it without a renewal
    cancel_requested_at: Mapped[datetime | None]

    @declared_attr
    @classmethod
    def needs_version(cls) -> Mapped[int]:
        """The oldest version of the code that may take the row: an update is rolled out beside older workers."""
        return mapped_column(default=lambda: cls.version, server_default="1")

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """The indexes of a work table, for a subclass that adds none of its own."""
        return cls.work_table_args()

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """The indexes that make a claim cost the same with 10² and 10⁶ rows; a subclass extends this."""
        table = cls.__tablename__
        return (
            CheckConstraint("retries > 0", name="retries_positive"),
            Index(
                f"ix_{table}_runnable",
                "queue",
                text("priority DESC"),
                "id",
                postgresql_where=text(f"status = {quoted(RunStatus.PENDING)} AND ready_at IS NOT NULL"),
            ),
            Index(f"ix_{table}_backoff", "ready_at", postgresql_where=text(f"status = {quoted(RunStatus.ERROR)}")),
            Index(f"ix_{table}_running", "id", postgresql_where=text(f"status = {quoted(RunStatus.RUNNING)}")),
        )
