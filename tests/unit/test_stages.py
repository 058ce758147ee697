"""Where a module runs, what a template refers to, and which worker takes a step."""

import pytest

from shared.domain.stages import ExecutionContext, stage_priority
from shared.domain.template import references
from shared.domain.workflow import ArtifactType, WorkflowStepType, artifacts_of, queue_of


@pytest.mark.parametrize(
    ("context", "uses_ai", "stage"),
    [
        (ExecutionContext.IMMEDIATE, False, 1),
        (ExecutionContext.IMMEDIATE, True, 2),
        (ExecutionContext.POST_RESPONSE, False, 4),
        (ExecutionContext.POST_RESPONSE, True, 5),
        (ExecutionContext.ON_DEMAND, False, 999),
        (ExecutionContext.ON_DEMAND, True, 999),
    ],
)
def test_context_and_ai_give_the_stage(context: ExecutionContext, uses_ai: bool, stage: int):
    assert stage_priority(context, uses_ai=uses_ai) == stage


@pytest.mark.parametrize(
    ("template", "names"),
    [
        pytest.param("Hello @a and @b, @a", ["a", "b"], id="each once"),
        pytest.param(r"\@a is no reference", [], id="escaped"),
        pytest.param("@time_now", ["time_now"], id="the longest name"),
        pytest.param("@TimeModule.", ["TimeModule"], id="capitals, as seed 001's examples have"),
        pytest.param("@1a @ b", [], id="no name"),
        pytest.param("@" + "a" * 51, [], id="longer than a name may be"),
    ],
)
def test_a_template_refers_to_modules_by_name(template: str, names: list[str]):
    assert references(template) == names


@pytest.mark.parametrize("step_type", list(WorkflowStepType))
def test_embed_and_store_wait_on_a_queue_of_their_own(step_type: WorkflowStepType):
    expected = "embedding" if step_type in {WorkflowStepType.EMBED, WorkflowStepType.STORE} else "ingestion"
    assert queue_of(step_type) == expected


def test_steps_leave_the_artifacts_that_seed_004_maps_to_them():
    assert {step: artifacts_of(step) for step in WorkflowStepType if artifacts_of(step)} == {
        WorkflowStepType.INGEST: (ArtifactType.DOC,),
        WorkflowStepType.PARSE: (ArtifactType.PARSED_MD, ArtifactType.PARSED_JSON),
        WorkflowStepType.CHUNK: (ArtifactType.CHUNKS,),
        WorkflowStepType.EMBED: (ArtifactType.EMBEDDINGS,),
        WorkflowStepType.STORE: (ArtifactType.RAG,),
    }
