"""How far each file of a group of runs is: its step, its passages, why it failed, and how long it will take."""

import json
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from shared.domain import progress
from shared.domain.lifecycle import RunStatus, quoted
from shared.domain.workflow import StepFacts
from shared.queries.work import engine

MOST_FILES = 500
UNKNOWN = "a document that was deleted"
RUNNING, COMPLETED, ERROR, FAILED, CANCELLED = map(
    quoted, (RunStatus.RUNNING, RunStatus.COMPLETED, RunStatus.ERROR, RunStatus.FAILED, RunStatus.CANCELLED)
)
# All of it in one statement: people ask again and again. Nobody waits for the passages of a file that failed.
TOLD = f"""
    WITH numbers AS (
        SELECT run.id, run.run_group_id, run.doc_id, run.status, run.status_message, run.run_params,
            count(*) AS steps, sum(CASE WHEN step.status = {COMPLETED} THEN 1.0 ELSE coalesce((step.status_meta
                ->> 'passages_done')::float / nullif((step.status_meta ->> 'passages')::float, 0), 0) END) AS share,
            max((step.status_meta ->> 'passages')::int) FILTER (WHERE step_type = 'chunk') AS passages,
            CASE WHEN bool_or(step_type = 'embed' AND step.status = {COMPLETED})
                THEN max((step.status_meta ->> 'passages')::int) FILTER (WHERE step_type = 'chunk')
                ELSE max((step.status_meta ->> 'passages_done')::int) FILTER (WHERE step_type = 'embed')
                END AS passages_done,
            bool_or(step_type = 'chunk' AND step.status <> {COMPLETED}) AS uncounted,
            (array_agg(step.status_meta -> 'marks') FILTER (WHERE step_type = 'embed'))[1] AS marks
        FROM workflowrun run JOIN runstep step ON step.workflow_run_id = run.id WHERE {{which}} GROUP BY run.id
    ), ranked AS (
        SELECT numbers.*, row_number() OVER (PARTITION BY run_group_id ORDER BY CASE WHEN status IN ({RUNNING}, {ERROR})
            THEN 0 WHEN status IN ({FAILED}, {CANCELLED}) THEN 1 ELSE 2 END, id) AS place FROM numbers
    ), sums AS (
        SELECT run_group_id, (SELECT jsonb_object_agg(status, number) FROM (SELECT status, count(*) AS number
                FROM numbers one WHERE one.run_group_id = numbers.run_group_id GROUP BY status) AS counted) AS counts,
            100 * sum(share) / sum(steps) AS percentage,
            coalesce(sum(passages) FILTER (WHERE alive), 0) AS all_passages,
            coalesce(sum(passages_done) FILTER (WHERE alive), 0) AS all_done,
            count(*) FILTER (WHERE uncounted AND alive) AS all_uncounted,
            jsonb_agg(marks) FILTER (WHERE jsonb_array_length(marks) > 1
                AND (marks -> -1 ->> 0)::float > extract(epoch FROM clock_timestamp()) - :window) AS all_marks
        FROM (SELECT *, status NOT IN ({FAILED}, {CANCELLED}) AS alive FROM numbers) AS numbers GROUP BY run_group_id
    )
    SELECT ranked.*, sums.*, uri.uri, source.file_name, extract(epoch FROM clock_timestamp())::float AS now,
        (SELECT jsonb_agg(jsonb_build_object('type', step_type, 'status', status, 'message', status_message,
            'start', extract(epoch FROM start_date), 'meta', status_meta - 'marks') ORDER BY workflow_step_number)
            FROM runstep WHERE workflow_run_id = ranked.id) AS told
    FROM ranked JOIN sums ON sums.run_group_id = ranked.run_group_id
    LEFT JOIN documenturi uri ON uri.id = (ranked.run_params ->> 'uri_id')::bigint
    LEFT JOIN data_sources source ON source.document_uri_id = uri.id
    WHERE ranked.place <= :most ORDER BY ranked.run_group_id, ranked.place"""
OF_GROUPS = text(TOLD.format(which="run.run_group_id = ANY(:ids)"))
OF_RUNS = text(TOLD.format(which="run.id = ANY(:ids)"))


class FileProgress(NamedTuple):
    """How far one file is; what is not known, or does not apply, is None."""

    run_id: int
    file_name: str
    document_hash: str
    status: RunStatus
    step: str | None
    step_status: RunStatus | None
    step_seconds: float | None
    passages: int | None
    passages_done: int
    seconds_left: float | None
    reason: str | None
    warning: str | None
    pages_without_text: list[int]


class GroupProgress(NamedTuple):
    """How far a group of files is: all by status, the passages of those that are counted, the first file by file."""

    percentage: int
    counts: dict[RunStatus, int]
    passages: int
    passages_done: int
    seconds_left: float | None
    files: list[FileProgress]


NOTHING = GroupProgress(0, {}, 0, 0, None, [])


class Advance(NamedTuple):
    """How many of a document's passages have vectors, how many had some before, and for how long it is worked on."""

    step_id: int
    fence: int  # of the claim under which it is worked on
    passages: int
    done: int
    before: int
    seconds: float


# Locked in the order of their ids, so that none deadlock; what another claim works on by now tells for itself.
_HELD = text(f"""
    SELECT step.id, step.status_meta -> 'marks' AS marks, extract(epoch FROM clock_timestamp())::float AS now
    FROM runstep step JOIN {engine.HELD} ON step.id = held.id AND step.fence = held.fence
    WHERE step.status = '{RunStatus.RUNNING.value}' ORDER BY step.id FOR NO KEY UPDATE OF step""")
_NOTE = text("""
    UPDATE runstep SET status_meta = status_meta || told.facts
    FROM unnest(CAST(:ids AS bigint[]), CAST(CAST(:facts AS text[]) AS jsonb[])) AS told(id, facts)
    WHERE runstep.id = told.id""")


def note(session: Session, advances: Iterable[Advance]) -> None:
    """Keep how far documents are while they are worked on, in two statements for all of them."""
    by_id = {advance.step_id: advance for advance in advances}
    if not by_id:
        return
    given = {"ids": list(by_id), "fences": [advance.fence for advance in by_id.values()]}
    facts = {row.id: json.dumps(_facts(by_id[row.id], row.marks, row.now)) for row in session.execute(_HELD, given)}
    if facts:
        session.execute(_NOTE, {"ids": list(facts), "facts": list(facts.values())})


def _facts(advance: Advance, marks: Any, now: float) -> StepFacts:
    marked = progress.marked(marks or [[now - advance.seconds, advance.before]], now, advance.done)
    return {"passages": advance.passages, "passages_done": advance.done, "marks": marked}


def of_runs(session: Session, run_ids: Collection[int]) -> list[FileProgress]:
    """Return how far the files of some runs are; the first few hundred of each group."""
    return [_file(row) for row in _ask(session, OF_RUNS, run_ids)]


def of_groups(session: Session, group_ids: Collection[int]) -> dict[int, GroupProgress]:
    """Return how far groups are; first those files at work, then those that failed, then the others."""
    rows = groupby(_ask(session, OF_GROUPS, group_ids), key=lambda row: row.run_group_id)
    found = {group_id: _sum(list(of_group)) for group_id, of_group in rows}
    return {group_id: found.get(group_id, NOTHING) for group_id in group_ids}


def _ask(session: Session, statement: Any, ids: Collection[int]) -> Sequence[Row[Any]]:
    return session.execute(statement, {"ids": list(ids), "most": MOST_FILES, "window": progress.WINDOW}).all()


def _sum(rows: Sequence[Row[Any]]) -> GroupProgress:
    """Add up a group; how long it takes is unknown until the passages of all its files are counted."""
    first = rows[0]
    left = None if first.all_uncounted else max(0, first.all_passages - first.all_done)
    counts = {RunStatus(status): number for status, number in first.counts.items()}
    pace = progress.pace(first.all_marks or (), first.now)
    files = [_file(row) for row in rows]
    told = progress.seconds_left(left, pace)
    return GroupProgress(int(first.percentage), counts, first.all_passages, first.all_done, told, files)


def _file(row: Row[Any]) -> FileProgress:
    at = next((step for step in row.told if step["status"] != RunStatus.COMPLETED), None)
    facts = {name: fact for step in row.told for name, fact in step["meta"].items()}
    warnings = dict.fromkeys(step["meta"]["warning"] for step in row.told if step["meta"].get("warning"))
    status, works = RunStatus(row.status), at is not None and at["status"] == RunStatus.RUNNING
    return FileProgress(
        run_id=row.id,
        file_name=name_of(row.uri, row.file_name),
        document_hash=row.doc_id,
        status=status,
        step=at["type"] if at else None,
        step_status=RunStatus(at["status"]) if at else None,
        step_seconds=round(row.now - at["start"], 1) if at and works else None,
        passages=row.passages,
        passages_done=row.passages_done or 0,
        seconds_left=_left(row, status, works),
        reason=None if status is RunStatus.COMPLETED else row.status_message or (at["message"] if at else None),
        warning="; ".join(warnings) or None,
        pages_without_text=facts.get("pages_without_text", []),
    )


def _left(row: Row[Any], status: RunStatus, works: bool) -> float | None:
    """Return the seconds that a file still takes; one that waits for its turn does not know."""
    if status is RunStatus.COMPLETED:
        return 0.0
    if not works or row.passages is None:
        return None
    return progress.seconds_left(row.passages - (row.passages_done or 0), progress.pace([row.marks or ()], row.now))


def name_of(uri: str | None, file_name: str | None) -> str:
    """Return what people call a document: its file's name, else the end of the address it is found at."""
    return file_name or (PurePosixPath(uri).name or uri if uri else UNKNOWN)
