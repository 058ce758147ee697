"""A persona's ingestion: started once, watched to its end, and what it goes by."""

import pytest
from sqlalchemy import func, select, update

from shared.domain.lifecycle import RunStatus
from shared.models import Persona, RunGroup, RunStep, StepConfig, WorkflowRun
from shared.queries.work import why
from shared.queries.workflows import progress
from shared.settings import get_settings
from tests.integration.gateway.test_files import QUOTES, TEXT, persona, upload, writer
from tests.integration.gateway.worker import run_steps, settle, take

__all__ = ["persona", "writer"]  # fixtures


def status(client, persona):
    return client.get(f"{persona}/ingestion/status").json


@pytest.fixture
def two_files(writer, persona):
    upload(writer, persona, "works", ("x.txt", TEXT))
    upload(writer, persona, "quotes", ("said.jsonl", QUOTES))


def test_before_the_first_ingestion_there_are_no_jobs(writer, persona):
    assert status(writer, persona) == {
        "overall_status": "draft",
        "overall_progress": 0.0,
        "all_completed": False,
        "any_failed": False,
        "jobs": [],
    }


@pytest.mark.capability("C87")
def test_an_ingestion_has_a_job_per_collection_and_a_run_per_file(writer, persona, two_files, session):
    answer = writer.post(f"{persona}/ingest")
    assert answer.status_code == 202
    assert [job["collection_type"] for job in answer.json["jobs"]] == ["profile", "works", "quotes"]
    assert session.scalar(select(func.count()).select_from(WorkflowRun)) == 2
    ready = select(RunStep.workflow_step_number).where(RunStep.ready_at.is_not(None))
    assert session.scalars(ready).all() == [1, 1]


def test_a_collection_without_files_is_done_and_the_persona_still_ingests(writer, persona, two_files):
    writer.post(f"{persona}/ingest")
    told = status(writer, persona)
    assert {job["collection_type"]: job["status"] for job in told["jobs"]} == {
        "profile": "completed",
        "works": "pending",
        "quotes": "pending",
    }
    assert (told["overall_status"], told["all_completed"]) == ("ingesting", False)


@pytest.mark.capability("C87")
def test_progress_only_grows_until_the_persona_is_active(writer, persona, two_files, session):
    writer.post(f"{persona}/ingest")
    seen = [status(writer, persona)["overall_progress"]]
    while run_steps(session, 1):
        seen.append(status(writer, persona)["overall_progress"])
    assert seen == sorted(seen)
    assert len(seen) == 11
    told = status(writer, persona)
    assert (told["overall_progress"], told["overall_status"], told["all_completed"]) == (100.0, "active", True)


@pytest.mark.capability("C87")
def test_a_failure_is_told_and_the_next_ingestion_may_start(writer, persona, two_files, session):
    writer.post(f"{persona}/ingest")
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "the file is damaged")
    run_steps(session, 10)
    told = status(writer, persona)
    assert (told["overall_status"], told["any_failed"], told["all_completed"]) == ("failed", True, False)
    assert writer.post(f"{persona}/ingest").status_code == 202


def test_a_failed_job_that_is_retried_is_at_work_again(writer, persona, two_files, session):
    jobs = writer.post(f"{persona}/ingest").json["jobs"]
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "no space left")
    run_steps(session, 10)
    assert writer.post(f"/api/v1/workflow/run-groups/{jobs[1]['run_group_id']}/retry").status_code == 202
    assert status(writer, persona)["overall_status"] == "ingesting"
    assert writer.post(f"{persona}/ingest").status_code == 409
    run_steps(session, 10)
    assert status(writer, persona)["overall_status"] == "active"


@pytest.mark.capability("C85")
def test_while_one_ingestion_is_at_work_another_is_a_conflict(writer, persona, two_files):
    assert writer.post(f"{persona}/ingest").status_code == 202
    assert writer.post(f"{persona}/ingest").status_code == 409


@pytest.mark.capability("C186")
def test_an_ingestion_sent_twice_starts_once(writer, persona, two_files, session):
    key = {"Idempotency-Key": "ingest-1"}
    first, second = (writer.post(f"{persona}/ingest", headers=key) for _ in range(2))
    assert (first.json, second.status_code) == (second.json, 202)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert session.scalar(select(func.count()).select_from(RunGroup)) == 3


def test_the_only_file_deleted_on_the_way_leaves_nothing_to_do_and_no_failure(writer, persona):
    file = upload(writer, persona, "works", ("x.txt", TEXT)).json["uploaded"][0]
    writer.post(f"{persona}/ingest")
    assert writer.delete(f"{persona}/files/{file['id']}").status_code == 204
    told = status(writer, persona)
    assert (told["overall_status"], told["any_failed"], told["all_completed"]) == ("active", False, True)
    assert writer.post(f"{persona}/ingest").status_code == 202


def cut(config):
    return config["chunk_size"], config["chunk_overlap"], config["top_k"]


@pytest.mark.capability("C86")
def test_without_overrides_the_defaults_apply(writer, persona):
    config = writer.get(f"{persona}/effective-config").json["collections"]
    assert {name: cut(values["configured"]) for name, values in config.items()} == {
        "works": (1024, 128, 8),
        "quotes": (512, 64, 10),
        "profile": (2048, 256, 5),
    }
    assert all(values["effective"]["chunk_size"] <= 512 for values in config.values())
    assert all(values["overridden"] == [] for values in config.values())


@pytest.mark.capability("C86")
def test_an_override_is_visible_and_reaches_the_work(writer, persona, session):
    upload(writer, persona, "works", ("x.txt", TEXT))
    writer.patch(persona, json={"works_chunk_size": 200, "works_chunk_overlap": 20, "quotes_top_k": 3})
    config = writer.get(f"{persona}/effective-config").json["collections"]
    assert config["works"]["effective"] == {"chunk_size": 200, "chunk_overlap": 20, "top_k": 8}
    assert config["works"]["overridden"] == ["chunk_size", "chunk_overlap"]
    assert config["quotes"]["effective"]["top_k"] == 3
    writer.post(f"{persona}/ingest")
    step = session.scalars(select(RunStep).where(RunStep.step_type == "chunk")).one()
    assert session.get_one(StepConfig, step.step_config_id).config_json["chunk_size"] == 200


def test_a_persona_is_ingesting_from_the_first_moment(writer, persona, two_files, session):
    writer.post(f"{persona}/ingest")
    assert session.scalars(select(Persona.status)).one() == "ingesting"


def file_of(told, name):
    (file,) = [file for job in told["jobs"] for file in job["files"] if file["file_name"] == name]
    return file


def works_of(told):
    (job,) = [job for job in told["jobs"] if job["collection_type"] == "works"]
    return job


def test_each_file_is_named_with_its_step(writer, persona, two_files, session):
    writer.post(f"{persona}/ingest")
    take(session, RunStep, "ingestion")
    told = status(writer, persona)
    assert (file_of(told, "x.txt")["step"], file_of(told, "x.txt")["step_status"]) == ("validate", "RUNNING")
    assert file_of(told, "x.txt")["step_seconds"] >= 0
    waiting = file_of(told, "said.jsonl")
    assert (waiting["step_status"], waiting["passages"], waiting["seconds_left"]) == ("PENDING", None, None)
    group = writer.get(f"/api/v1/workflow/run-groups/{works_of(told)['run_group_id']}").json
    assert [file["file_name"] for file in group["files"]] == ["x.txt"]
    assert group["counts"] == {"RUNNING": 1}


@pytest.fixture
def embedding(writer, persona, session):
    """A file of 40 passages that is being embedded."""
    upload(writer, persona, "works", ("x.txt", TEXT))
    writer.post(f"{persona}/ingest")
    run_steps(session, 3)
    session.execute(update(RunStep).where(RunStep.step_type == "chunk").values(status_meta={"passages": 40}))
    return take(session, RunStep, "embedding")


def test_each_request_moves_the_passages_done_and_tells_the_time_left(writer, persona, embedding, session):
    seen = []
    for done in (10, 20):
        progress.note(session, [progress.Advance(embedding.id, embedding.fence, 40, done, 0, 100.0)])
        told = status(writer, persona)
        file, job = file_of(told, "x.txt"), works_of(told)
        assert (file["passages"], file["passages_done"]) == (40, done) == (job["passages"], job["passages_done"])
        seen.append((told["overall_progress"], file["seconds_left"], job["seconds_left"]))
    assert seen[0][0] < seen[1][0]
    assert [round(left, -2) for _, *both in seen for left in both] == [300, 300, 100, 100]


def test_what_was_embedded_long_ago_says_nothing_of_the_time_left(writer, persona, embedding, session):
    progress.note(session, [progress.Advance(embedding.id, embedding.fence, 40, 10, 0, 100.0)])
    long_ago = {"passages": 40, "passages_done": 10, "marks": [[0, 0], [100, 10]]}
    session.execute(update(RunStep).where(RunStep.id == embedding.id).values(status_meta=long_ago))
    told = status(writer, persona)
    assert (file_of(told, "x.txt")["seconds_left"], works_of(told)["seconds_left"]) == (None, None)


def test_a_failure_names_its_file_and_reason_and_a_warning_its_pages(writer, persona, two_files, session):
    writer.post(f"{persona}/ingest")
    claim = take(session, RunStep, "ingestion")
    told_pages = {"pages_without_text": [2, 3], "warning": "no text on page 2, 3"}
    session.execute(update(RunStep).where(RunStep.id == claim.id).values(status_meta=told_pages))
    settle(session, claim, RunStatus.FAILED, "the file is damaged")
    told = status(writer, persona)
    file = file_of(told, "x.txt")
    assert (file["status"], file["step"], file["reason"]) == ("FAILED", "validate", "the file is damaged")
    assert (file["warning"], file["pages_without_text"]) == ("no text on page 2, 3", [2, 3])
    assert "x.txt: the file is damaged" in works_of(told)["error_message"]


def test_failed_files_are_retried_while_others_run_and_named(writer, persona, session):
    upload(writer, persona, "works", ("a.txt", TEXT), ("b.txt", TEXT + b" b"))
    writer.post(f"{persona}/ingest")
    settle(session, take(session, RunStep, "ingestion"), RunStatus.FAILED, "no space left")
    assert works_of(status(writer, persona))["counts"] == {"FAILED": 1, "PENDING": 1}
    answer = writer.post(f"{persona}/ingestion/retry")
    assert answer.status_code == 202
    assert [(file["file_name"], file["reason"]) for file in answer.json["retried"]] == [("a.txt", "no space left")]
    assert answer.json["retried_count"] == 1
    assert writer.post(f"{persona}/ingestion/retry").status_code == 400
    assert run_steps(session, 20) == 10
    assert status(writer, persona)["overall_status"] == "active"


@pytest.fixture
def large_window(monkeypatch):
    monkeypatch.setenv("PERSONAE_EMBEDDING_WINDOW", "8192")
    get_settings.cache_clear()


@pytest.mark.capability("C86")
def test_with_a_larger_window_of_the_embedding_model_seed_000s_sizes_apply(large_window, writer, persona, session):
    upload(writer, persona, "profile", ("x.txt", TEXT))
    config = writer.get(f"{persona}/effective-config").json["collections"]
    assert all(values["effective"] == values["configured"] for values in config.values())
    writer.post(f"{persona}/ingest")
    step = session.scalars(select(RunStep).where(RunStep.step_type == "chunk")).one()
    assert session.get_one(StepConfig, step.step_config_id).config_json["chunk_size"] == 2048


def test_the_queues_are_told_with_what_waits_runs_and_is_tried_again(writer, persona, two_files, session):
    writer.post(f"{persona}/ingest")
    settle(session, take(session, RunStep, "ingestion"), RunStatus.ERROR, "the disk is full")
    assert [tuple(row) for row in why.on_queues(session)] == [("ingestion", 1, 0, 1)]
    take(session, RunStep, "ingestion")
    assert [tuple(row) for row in why.on_queues(session)] == [("ingestion", 0, 1, 1)]
