"""Stages 1 and 2 of a turn: the persona's template becomes the text that the model is told."""

import time
from dataclasses import dataclass, field
from typing import Any

from services.dialogue.events import Events
from services.dialogue.tools import Tools, chat_for
from services.leases import Held
from shared.domain import stages, template
from shared.domain.stages import ExecutionContext, ModuleType
from shared.domain.template import Piece, Resolved, Warned
from shared.errors import Transient
from shared.models import Module
from shared.queries import executions
from shared.queries.scope import Scope
from shared.queries.turns import TurnContext
from shared.scripting.asking import SideCall
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution, execute, not_run

FIRST, WITH_AI = stages.BEFORE


@dataclass
class Prepared:
    """The persona's text with its modules in place, and how it came about, stage by stage."""

    text: str = ""
    stages: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)

    @property
    def ai_seconds(self) -> float:
        """Seconds that side calls to the model took."""
        return float(sum(run["ai_seconds"] for stage in self.stages for run in stage["modules"]))


@dataclass
class Preparation:
    """One turn's modules on their way into its text."""

    turn: TurnContext
    tools: Tools
    held: Held
    events: Events

    def prepare(self) -> Prepared:
        """Run the modules of stages 1 and 2, and put what they came to in their places."""
        turn = self.turn
        staged = {name: stages.stage_before(module, turn.question) for name, module in turn.modules.items()}
        pieces = {name: _kept(turn.modules[name], turn) for name, stage in staged.items() if stage is None}
        prepared = Prepared(warnings=_staleness(turn))
        for stage in (FIRST, WITH_AI) if WITH_AI in staged.values() else (FIRST,):
            chosen = [turn.modules[name] for name, its in staged.items() if its == stage]
            later = [name for name, its in staged.items() if its is not None and its > stage]
            self._fill(prepared, stage, chosen, pieces, later)
        return prepared

    def _fill(
        self, prepared: Prepared, stage: int, chosen: list[Module], pieces: dict[str, Piece], later: list[str]
    ) -> None:
        self.events.stage(stage, "preparing")
        started = time.monotonic()
        surroundings = self._surroundings(stage, prepared.text)
        runs = [self._run(module, stage, surroundings) for module in chosen]
        pieces |= {run.module.name: run.piece() for run in runs}
        resolved = template.resolve(self.turn.persona.template, pieces, later=later)
        prepared.text = resolved.text
        prepared.warnings += [warning for run in runs for warning in run.warnings()]
        if not later:
            prepared.warnings += [warning._replace(stage=stage) for warning in resolved.warnings]
        prepared.stages.append(_trace(stage, resolved, runs, time.monotonic() - started))

    def _run(self, module: Module, stage: int, surroundings: Surroundings) -> Execution:
        self.held.check()
        try:
            return execute(module, stage, surroundings, {})
        except Transient as error:  # the reply does without a module whose model is away
            return not_run(module, stage, surroundings, str(error))

    def _surroundings(self, stage: int, text: str) -> Surroundings:
        turn, settings = self.turn, self.tools.settings
        ask = SideCall(chat_for(turn), self.held.closes)
        return Surroundings(
            scope=Scope(turn.owner_id),
            conversation_id=turn.conversation_id,
            persona_id=turn.persona.id,
            last_user_message=turn.question,
            until=turn.position,
            system=text,
            remembered=executions.remembered(turn.states),
            ask=ask if stage == WITH_AI else None,
            budget=settings.chat_context_tokens,
            longest_reply=settings.chat_max_tokens,
            seed=turn.options.get("seed"),
        )


def _kept(module: Module, turn: TurnContext) -> Piece:
    """Return what a module contributes without running: its text, or what it left after an earlier reply."""
    if module.type == ModuleType.SIMPLE:
        return Piece(text="") if stages.is_silent(module, turn.question) else Piece(module.content or "")
    if module.execution_context != ExecutionContext.POST_RESPONSE:
        return Piece(text="")
    if module.id in turn.states:
        return Piece(module.content or "", turn.states[module.id])
    return Piece(text="") if template.has_variables(module.content) else Piece(module.content or "")


def _staleness(turn: TurnContext) -> list[Warned]:
    if not turn.state_is_stale:
        return []
    return [Warned("", "state_stale", "modules of an earlier turn have not finished: their state is older", FIRST)]


def _trace(stage: int, resolved: Resolved, runs: list[Execution], seconds: float) -> dict[str, Any]:
    return {
        "stage": stage,
        "name": stages.STAGE_NAMES[stage],
        "text": resolved.text,
        "resolved_modules": list(resolved.modules),
        "modules": [run.trace() for run in runs],
        "seconds": round(seconds, 4),
    }
