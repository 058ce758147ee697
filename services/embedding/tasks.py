"""Embed and store, declared as work: `load` reads what is missing, `work` keeps vectors as they come."""

import logging
from functools import cache

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.embedding import passages, steps
from services.embedding.line import Line
from services.embedding.places import Places
from services.embedding.steps import EmbeddingTools, Result
from services.work import register_handler
from shared.db import get_session
from shared.domain.workflow import WorkflowStepType
from shared.models import PassageEmbedding, RunStep
from shared.providers.embedding.client import connect_embedding
from shared.providers.storage.blobs import open_blobs
from shared.queries.knowledge.passage_embeddings import FORGOTTEN
from shared.queries.work import engine as rows
from shared.queries.workflows import advance
from shared.settings import get_settings
from shared.tasks import EMBEDDING

log = logging.getLogger(__name__)

LOAD = {WorkflowStepType.EMBED: steps.load_missing, WorkflowStepType.STORE: steps.load_passages}
WORK = {WorkflowStepType.EMBED: steps.embed, WorkflowStepType.STORE: steps.note_stored}
SAVE = {WorkflowStepType.EMBED: steps.note_facts, WorkflowStepType.STORE: steps.save_passages}


@cache
def tools() -> EmbeddingTools:
    """Return the providers of this process."""
    settings = get_settings()
    batch, limit = settings.embedding_batch, settings.embedding_concurrency
    line = Line(batch, limit, crowded=others_wait)
    return EmbeddingTools(
        open_blobs(settings), connect_embedding(settings), steps.keep, Places(limit).place, batch=batch, line=line
    )


def others_wait() -> bool:
    """Say whether documents, or passages that somebody sent, wait that no worker has taken yet."""
    try:
        with get_session() as session:
            return rows.is_waiting(session, (RunStep, PassageEmbedding), EMBEDDING.name, above=FORGOTTEN)
    except SQLAlchemyError as error:  # whoever waits has to wait for one more request
        log.warning("no look at who waits", extra={"reason": type(error).__name__})
        return False


def load(session: Session, step: RunStep) -> steps.Loaded:
    """Read the passages, and for a step that embeds which of them nobody has embedded yet."""
    return LOAD[step.step_type](session, advance.context(session, step), tools())


def work(loaded: steps.Loaded) -> Result:
    """Embed, or leave the artifact that says what is stored."""
    return WORK[loaded.step.step_type](loaded, tools())


def save(session: Session, step: RunStep, result: Result) -> None:
    """Write the step's facts, and of a step that stores the document's passages: vectors are there already."""
    advance.note_facts(session, step, SAVE[step.step_type](session, result))


embed_and_store = register_handler(
    EMBEDDING, RunStep, load=load, work=work, save=save, lock=advance.lock_written, max_runtime=3600.0
)
embed_passages = register_handler(
    EMBEDDING,
    PassageEmbedding,
    load=lambda session, row: passages.load(session, row, tools()),
    work=lambda texts: passages.work(texts, tools()),
    save=passages.save,
    max_runtime=3600.0,
)
