"""The steps that prepare a document, declared as work."""

from functools import cache

from sqlalchemy.orm import Session

from services import leases
from services.ingestion import steps
from services.ingestion.steps import ParsingTools
from services.work import register_handler
from shared.domain.workflow import StepFacts, WorkflowStepType
from shared.models import RunStep
from shared.providers.parsing.apart import ApartParser
from shared.providers.parsing.limits import limits_of
from shared.providers.storage.blobs import open_blobs
from shared.queries.workflows import advance
from shared.queries.workflows.advance import StepContext
from shared.settings import get_settings
from shared.tasks import INGESTION

STEPS = {
    WorkflowStepType.VALIDATE: steps.validate,
    WorkflowStepType.PARSE: steps.parse,
    WorkflowStepType.CHUNK: steps.chunk,
}


@cache
def tools() -> ParsingTools:
    """Return the providers of this process."""
    settings = get_settings()
    return ParsingTools(open_blobs(settings), ApartParser(limits_of(settings), leases.listener))


def work(step: StepContext) -> StepFacts:
    """Map the artifacts of the steps before to this step's own; return what is worth keeping about it."""
    return STEPS[step.step_type](step, tools())


def save(session: Session, step: RunStep, facts: StepFacts) -> None:
    """Keep the facts with the step, and those of the document with the document."""
    advance.note_facts(session, step, facts)


prepare = register_handler(
    INGESTION,
    RunStep,
    load=advance.context,
    work=work,
    save=save,
    lock=advance.lock_written,
    max_runtime=900.0,
)
