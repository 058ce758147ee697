"""The rules about work that no linter knows."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from shared.api import Base  # imports every model
from shared.domain.lifecycle import VERSION
from shared.domain.workflow import WorkflowStepType, queue_of
from shared.models.base import Work
from shared.queries.kinds import DECLARED
from shared.tasks import QUEUES, SWEEP, answers
from tests.architecture.sources import ROOT, Source, sources

LIFE_OF_WORK = "shared/queries/work/engine.py"
REGISTERED = """
import json
from services import work, worker
json.dump({
    "tasks": sorted(name for name in worker.app.tasks if not name.startswith("celery.")),
    "handled": {queue: [model.__tablename__ for model in handlers] for queue, handlers in work.HANDLERS.items()},
}, __import__("sys").stdout)
"""
WITHOUT_HANDLER = {"webhook_deliveries": "no webhook is delivered yet"}
WITHOUT_QUEUE = {"webhook_deliveries": "whoever delivers them will choose"}
WITHOUT_FOLLOWER = {
    **WITHOUT_HANDLER,  # nothing can follow what is not done
    "passage_embeddings": "nothing waits for its end",
    "fetches": "the run that a document's arrival starts is ready by itself",
}
# Progress that is told or rolled up, on rows that no worker claims.
OTHER_STATUSES = {
    ("shared/queries/dialogue/conversations.py", "conversation"),
    ("shared/queries/documents/files.py", "persona"),
    ("shared/queries/workflows/ingestion_jobs.py", "job"),
    ("shared/queries/workflows/ingestion_jobs.py", "persona"),
    ("shared/queries/workflows/advance.py", "item"),
}


@pytest.fixture(scope="module")
def worker() -> dict[str, Any]:
    """What a worker process registers when it starts."""
    environment = os.environ | {"PERSONAE_REDIS_URL": "redis://nowhere.invalid/0"}
    done = subprocess.run([sys.executable, "-c", REGISTERED], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    registered: dict[str, Any] = json.loads(done.stdout)
    return registered


def tables() -> dict[str, type[Work]]:
    """Return our tables of work; a test's own are in metadata of their own."""
    models = {mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Work)}
    return {model.__tablename__: model for model in models if model.metadata is Base.metadata}


def test_a_worker_registers_what_the_catalogue_names_and_nothing_else(worker: dict[str, Any]) -> None:
    assert worker["tasks"] == sorted([SWEEP, *(answers(queue.name) for queue in QUEUES)])


def test_every_table_of_work_is_declared_once() -> None:
    assert sorted(kind.model.__tablename__ for kind in DECLARED) == sorted(tables())


def test_this_code_may_do_every_kind_of_work_that_it_declares() -> None:
    assert [kind.path for kind in DECLARED if kind.version > VERSION] == []


def test_every_table_of_work_has_a_handler_or_says_why_not(worker: dict[str, Any]) -> None:
    handled = {name for models in worker["handled"].values() for name in models}
    assert handled | set(WITHOUT_HANDLER) == set(tables())
    assert not handled & set(WITHOUT_HANDLER)


def test_every_table_of_work_has_a_follower_or_says_why_not() -> None:
    followed = {kind.model.__tablename__ for kind in DECLARED if kind.endings.on_end}
    assert followed | set(WITHOUT_FOLLOWER) == set(tables())
    assert not followed & set(WITHOUT_FOLLOWER)


def test_the_queue_that_a_row_waits_on_is_in_the_catalogue() -> None:
    queues = {name: default_queues(model) for name, model in tables().items()}
    assert {name for name, found in queues.items() if not found} == set(WITHOUT_QUEUE)
    assert set().union(*queues.values()) <= {queue.name for queue in QUEUES}


def default_queues(model: type[Work]) -> set[str]:
    default = model.__table__.c.queue.default
    if default is None:
        return set()
    return {queue_of(step) for step in WorkflowStepType} if default.is_callable else {default.arg}


def test_only_the_life_of_work_writes_the_status_of_a_row() -> None:
    elsewhere = [source for source in sources("gateway", "services", "shared") if source.path != LIFE_OF_WORK]
    assigned = {(source.path, target) for source in elsewhere for target in assigned_statuses(source)}
    assert assigned == OTHER_STATUSES
    written = {(source.path, model) for source in elsewhere for model in written_statuses(source)}
    assert {model for _, model in written} & {model.__name__ for model in tables().values()} == set()
    assert [
        source.path for source in elsewhere if any(updates_status(node) for node in source.find(ast.Constant))
    ] == []


def assigned_statuses(source: Source) -> Iterator[str]:
    """Yield what `x.status = …` names as x."""
    for node in source.find(ast.Attribute):
        if node.attr == "status" and isinstance(node.ctx, ast.Store):
            yield ast.unparse(node.value)


def written_statuses(source: Source) -> Iterator[str]:
    """Yield the X of `update(X)….values(status=…)` and of `X(status=…)`."""
    for call in source.find(ast.Call):
        if any(keyword.arg == "status" for keyword in call.keywords):
            model = re.search(r"\bupdate\((\w+)\)", ast.unparse(call.func))
            yield model[1] if model else ast.unparse(call.func)


def updates_status(constant: ast.Constant) -> bool:
    return bool(re.search(r"\bUPDATE\b.*\bSET\b.*\bstatus\s*=", str(constant.value), re.DOTALL))
