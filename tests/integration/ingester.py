"""Workers of documents, played by their own steps with fakes for the outside world."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from services.embedding import steps as embedding
from services.embedding import tasks as embedding_tasks
from services.ingestion import steps as ingestion
from services.ingestion import tasks as ingestion_tasks
from shared.db import Session
from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import WorkflowStepType
from shared.errors import PersonaeError
from shared.models import RunStep
from shared.providers.embedding.client import Embedding
from shared.providers.parsing.parser import Parser
from shared.providers.storage.blobs import Blobs
from shared.queries.work import endings, engine
from shared.queries.workflows import advance

NAME = "w:1:"


class Ingester(NamedTuple):
    """The outside world of the steps."""

    blobs: Blobs
    parser: Parser
    embedding: Embedding

    def claim(self, session: Session) -> engine.Claim | None:
        """Take the best step of either queue."""
        for queue in ("ingestion", "embedding"):
            claims = engine.claim(session, [RunStep], queue, worker=NAME, lease=20, limit=1, suspects=True)
            if claims:
                return claims[0]
        return None

    def perform(self, session: Session, claim: engine.Claim) -> Callable[[], bool]:
        """Load and work on a claimed step; return what settles it, and says whether it was still held."""
        context = advance.context(session, session.get_one(RunStep, claim.id))
        session.flush()  # a worker loads in a transaction of its own
        try:
            save = self._work(session, context)
        except PersonaeError as error:
            reason = str(error)
            return lambda: self._settle(session, claim, RunStatus.FAILED, reason)
        return lambda: self._settle(session, claim, RunStatus.COMPLETED, None, save)

    def _work(self, session: Session, context: advance.StepContext) -> Callable[[RunStep], None]:
        if context.step_type in ingestion_tasks.STEPS:
            facts = ingestion_tasks.STEPS[context.step_type](context, ingestion.ParsingTools(self.blobs, self.parser))
            return lambda step: advance.note_facts(session, step, facts)
        return self._embed_or_store(session, context)

    def _embed_or_store(self, session: Session, context: advance.StepContext) -> Callable[[RunStep], None]:
        kind: WorkflowStepType = context.step_type
        tools = embedding.EmbeddingTools(self.blobs, self.embedding, partial(embedding.store, session))
        result = embedding_tasks.WORK[kind](embedding_tasks.LOAD[kind](session, context, tools), tools)
        return lambda step: embedding_tasks.save(session, step, result)

    def _settle(
        self,
        session: Session,
        claim: engine.Claim,
        status: RunStatus,
        message: str | None,
        save: Callable[[RunStep], None] | None = None,
    ) -> bool:
        rows = engine.settle(session, RunStep, [(claim.id, claim.fence)], status, message=message)
        for row in rows if save else ():
            save(row)
        endings.follow(session, rows)
        return bool(rows)

    def drain(self, session: Session) -> int:
        """Perform every step that is ready; return how many."""
        done = 0
        while claim := self.claim(session):
            self.perform(session, claim)()
            done += 1
        return done
