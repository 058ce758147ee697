"""The start of documents' runs: each with all its steps, many at a time (seed 004)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.workflow import RunParams, StepSettings, WorkflowStepType
from shared.logs import Correlation
from shared.models import RunGroup, RunStep, StepConfig, WorkflowRun
from shared.queries.scope import Scope, owner_of

DOCUMENT_WORKFLOW = "document"
NEW_CONFIGS = 0x434F_4E46  # whoever holds this lock may add configurations of steps
DOCUMENT_STEPS = (
    WorkflowStepType.VALIDATE,
    WorkflowStepType.PARSE,
    WorkflowStepType.CHUNK,
    WorkflowStepType.EMBED,
    WorkflowStepType.STORE,
)
StepConfigs = Mapping[WorkflowStepType, StepSettings]


def add_group(
    session: Session, scope: Scope, name: str, *, params: str = "default", batch_id: int | None = None
) -> RunGroup:
    """Add an empty group of runs."""
    group = RunGroup(
        name=name,
        workflow_definition_id=DOCUMENT_WORKFLOW,
        param_definition_id=params,
        batch_id=batch_id,
        **owner_of(scope),
    )
    session.add(group)
    session.flush()
    return group


class Start(NamedTuple):
    """A document to run, with what applies to each step and what the run is told."""

    doc_hash: str
    configs: StepConfigs
    params: RunParams


def add_runs(
    session: Session,
    group: RunGroup,
    starts: Sequence[Start],
    *,
    priority: int = 0,
    meta: Correlation | None = None,
) -> list[WorkflowRun]:
    """Add documents' runs with their five steps each, of which the first is ready; all in two statements."""
    runs = [_run(group, start, priority) for start in starts]
    session.add_all(runs)
    session.flush()
    config_ids = _ids_of_configs(session, [start.configs for start in starts])
    now = session.scalar(select(func.clock_timestamp())) if runs else None
    session.add_all(
        RunStep(
            workflow_run_id=run.id,
            workflow_step_number=number,
            workflow_step_name=step_type.value,
            step_type=step_type,
            step_config_id=ids[step_type],
            is_last_step=number == len(DOCUMENT_STEPS),
            priority=priority,
            status_meta=meta or {},
            ready_at=now if number == 1 else None,
        )
        for run, ids in zip(runs, config_ids, strict=True)
        for number, step_type in enumerate(DOCUMENT_STEPS, 1)
    )
    session.flush()
    return runs


def _run(group: RunGroup, start: Start, priority: int) -> WorkflowRun:
    return WorkflowRun(
        workflow_definition_id=group.workflow_definition_id,
        run_group_id=group.id,
        batch_id=group.batch_id,
        doc_id=start.doc_hash,
        priority=priority,
        run_params=start.params,
    )


def _ids_of_configs(session: Session, several: Iterable[StepConfigs]) -> list[dict[WorkflowStepType, int]]:
    """Find or add the configurations of each document, those of equal ones once."""
    known: dict[str, dict[WorkflowStepType, int]] = {}
    keys = []
    for configs in several:
        keys.append(json.dumps(configs, sort_keys=True))
        if keys[-1] not in known:
            known[keys[-1]] = _step_configs(session, configs)
    return [known[key] for key in keys]


def _step_configs(session: Session, configs: StepConfigs) -> dict[WorkflowStepType, int]:
    """Find or add each step's configuration, known by itself and all before it: equal work is recognised."""
    cumulative: dict[str, StepSettings] = {}
    ids = {}
    for step_type in DOCUMENT_STEPS:
        config = configs.get(step_type, {})
        cumulative[step_type.value] = config
        ids[step_type] = _step_config(session, step_type, config, json.dumps(cumulative, sort_keys=True))
    return ids


def _step_config(session: Session, step_type: WorkflowStepType, config: StepSettings, cumulative: str) -> int:
    known = select(StepConfig.id).where(StepConfig.step_type == step_type, StepConfig.cuml_config_json == cumulative)
    found = session.scalar(known)
    if found is None:
        # One who adds some at a time: two who add the same ones in other orders would wait for each other.
        session.execute(select(func.pg_advisory_xact_lock(NEW_CONFIGS)))
        values = {"step_type": step_type, "config_json": config, "cuml_config_json": cumulative}
        session.execute(insert(StepConfig).values(values).on_conflict_do_nothing())
        found = session.scalars(known).one()
    return found
