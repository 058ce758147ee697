"""Workflow runs over documents: groups, runs, steps, and the configurations they ran with (seed 004)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain.lifecycle import RunStatus, quoted
from shared.domain.workflow import LifeCycleEvent, RunParams, StepSettings, WorkflowStepType, queue_of
from shared.models.base import JSON_OBJECT, Base, Numbered, Owned, Progress, Work, enum_by_value, json_object


class RunGroup(Numbered, Progress, Owned, Base):
    """Runs that were started together."""

    __tablename__ = "rungroup"
    __table_args__ = (Index("idx_rungroup_batch", "batch_id"),)

    name: Mapped[str | None] = mapped_column(String(500))
    workflow_definition_id: Mapped[str] = mapped_column(String(255))
    param_definition_id: Mapped[str] = mapped_column(String(255))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("documentbatch.id", ondelete="SET NULL"))
    created_date: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class WorkflowRun(Numbered, Progress, Base):
    """One document's way through a workflow."""

    __tablename__ = "workflowrun"
    __table_args__ = (
        Index("idx_workflowrun_status", "status", "batch_id"),
        Index(
            "ix_workflowrun_unfinished",
            "run_group_id",
            postgresql_where=text(f"status IN ({quoted(RunStatus.PENDING, RunStatus.RUNNING, RunStatus.ERROR)})"),
        ),
    )

    workflow_definition_id: Mapped[str] = mapped_column(String(255))
    run_group_id: Mapped[int] = mapped_column(ForeignKey("rungroup.id", ondelete="CASCADE"), index=True)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("documentbatch.id", ondelete="SET NULL"), index=True)
    doc_id: Mapped[str] = mapped_column(ForeignKey("document.hash", ondelete="CASCADE"), index=True)
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    created_date: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    run_params: Mapped[RunParams] = json_object()
    paused_at: Mapped[datetime | None]  # the next step is not made ready while this is set


class StepConfig(Numbered, Base):
    """A step's parameters and, cumulated, those of the steps before it: the same are stored once."""

    __tablename__ = "stepconfig"
    __table_args__ = (Index("uq_stepconfig_cumulative", "step_type", text("md5(cuml_config_json)"), unique=True),)

    created_date: Mapped[datetime | None] = mapped_column(server_default=func.clock_timestamp())
    step_type: Mapped[WorkflowStepType] = mapped_column(enum_by_value(WorkflowStepType))
    config_json: Mapped[StepSettings | None] = mapped_column(JSON_OBJECT)
    cuml_config_json: Mapped[str | None]


def _queue_of_step(context: DefaultExecutionContext) -> str:
    parameters = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return queue_of(WorkflowStepType(parameters["step_type"]))


class RunStep(Work):
    """One step of a run; its type decides the queue it waits on."""

    __tablename__ = "runstep"

    queue: Mapped[str] = mapped_column(String(32), default=_queue_of_step)
    workflow_run_id: Mapped[int] = mapped_column(ForeignKey("workflowrun.id", ondelete="CASCADE"))
    workflow_step_number: Mapped[int]
    workflow_step_name: Mapped[str] = mapped_column(String(255))
    step_config_id: Mapped[int] = mapped_column(ForeignKey("stepconfig.id", ondelete="RESTRICT"), index=True)
    step_type: Mapped[WorkflowStepType] = mapped_column(enum_by_value(WorkflowStepType))
    is_last_step: Mapped[bool] = mapped_column(default=False, server_default="false")

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """Add the order of a run's steps, and seed 004's indexes."""
        return (
            *super().work_table_args(),
            UniqueConstraint("workflow_run_id", "workflow_step_number"),
            Index("idx_runstep_status", "status", text("priority DESC")),
            Index("idx_runstep_worker", "worker_id", postgresql_where=text(f"status = {quoted(RunStatus.RUNNING)}")),
        )


class ConfigSet(Numbered, Base):
    """A parameter file as it was when something ran with it."""

    __tablename__ = "configset"
    __table_args__ = (Index("uq_configset_contents", "yaml_id", text("md5(yaml_contents)"), unique=True),)

    yaml_id: Mapped[str] = mapped_column(String(255))
    yaml_contents: Mapped[str]
    created_date: Mapped[datetime | None] = mapped_column(server_default=func.clock_timestamp())


class ConfigSetItem(Base):
    """That a parameter file led to a step configuration."""

    __tablename__ = "configsetitem"

    config_set_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("configset.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    config_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("stepconfig.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )


class LifecycleHistory(Numbered, Progress, Base):
    """Something that happened to a group, a run or a step, and what its handler made of it."""

    __tablename__ = "lifecyclehistory"

    event: Mapped[LifeCycleEvent] = mapped_column(enum_by_value(LifeCycleEvent))
    handler_name: Mapped[str | None] = mapped_column(String(255))
    run_group_id: Mapped[int] = mapped_column(ForeignKey("rungroup.id", ondelete="CASCADE"), index=True)
    workflow_run_id: Mapped[int | None] = mapped_column(ForeignKey("workflowrun.id", ondelete="CASCADE"), index=True)
    step_id: Mapped[int | None] = mapped_column(ForeignKey("runstep.id", ondelete="CASCADE"), index=True)
    start_date: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    completed_date: Mapped[datetime | None] = mapped_column(
        default=func.clock_timestamp()
    )  # at once: nothing handles it


class WorkerCheckin(Base):
    """A worker process, and when it last said it lives."""

    __tablename__ = "workercheckin"
    __table_args__ = (Index("idx_workercheckin_last", "last_checkin"),)

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    first_checkin: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_checkin: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    queues: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    version: Mapped[int] = mapped_column(default=1, server_default="1")  # of its code, as `Work.needs_version` asks
    slots: Mapped[int] = mapped_column(default=1, server_default="1")
    stuck: Mapped[int] = mapped_column(default=0, server_default="0")  # slots whose work ignores that it must stop
    last_claim: Mapped[datetime | None]  # without one for long while rows wait, the worker is deaf


class SweepWatch(Base):
    """When the last sweep began, and since when they have come without a gap: one row."""

    __tablename__ = "sweepwatch"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]
    last: Mapped[datetime]
