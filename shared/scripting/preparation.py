"""Stages 1 and 2: a template becomes the text that the model is told."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from shared.domain import stages, template
from shared.domain.memory import UNCHANGED, Changes
from shared.domain.stages import ExecutionContext, ModuleType
from shared.domain.template import Piece, Resolved, Warned
from shared.domain.trace import StageTrace
from shared.domain.triggers import Tell
from shared.errors import Transient
from shared.models import Module
from shared.scripting.context import Ask, Surroundings
from shared.scripting.modules import Execution, execute, not_run

FIRST, WITH_AI = stages.BEFORE


@dataclass
class Prepared:
    """A template with its modules in place, and how it came about, stage by stage."""

    text: str = ""
    stages: list[StageTrace] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    changes: Changes = UNCHANGED

    @property
    def ai_seconds(self) -> float:
        """Seconds that side calls to the model took."""
        return float(sum(run["ai_seconds"] for stage in self.stages for run in stage["modules"]))


@dataclass(frozen=True)
class Preparation:
    """A template's modules on their way into its text.

    `begin` hears of each stage as it starts; `check` may raise before each module to stop it all.
    """

    template: str
    modules: Mapping[str, Module]
    states: Mapping[UUID, Mapping[str, Any]]
    surroundings: Surroundings
    ask: Ask
    begin: Callable[[int], None] = lambda stage: None
    check: Callable[[], None] = lambda: None

    def prepare(self) -> Prepared:
        """Run the modules of stages 1 and 2, and put what they came to in their places."""
        said = self.surroundings.last_user_message or ""
        prepared = Prepared(warnings=[_uncalled(name) for name, its in self.modules.items() if stages.is_uncalled(its)])
        told = {name: template.not_searched(name, FIRST, prepared.warnings) for name in self.modules}
        staged = {name: stages.stage_before(module, said, told[name]) for name, module in self.modules.items()}
        unrun = [name for name, stage in staged.items() if stage is None]
        pieces = {name: self._kept(self.modules[name], said, told[name]) for name in unrun}
        for stage in (FIRST, WITH_AI) if WITH_AI in staged.values() else (FIRST,):
            chosen = [self.modules[name] for name, its in staged.items() if its == stage]
            later = [name for name, its in staged.items() if its is not None and its > stage]
            self._fill(prepared, stage, chosen, pieces, later)
        return prepared

    def _fill(
        self, prepared: Prepared, stage: int, chosen: list[Module], pieces: dict[str, Piece], later: list[str]
    ) -> None:
        self.begin(stage)
        started = time.monotonic()
        ask = self.ask if stage == WITH_AI else None
        surroundings = replace(self.surroundings, system=prepared.text, ask=ask)
        runs = [self._run(module, stage, surroundings, prepared) for module in chosen]
        pieces |= {run.module.name: run.piece() for run in runs}
        resolved = template.resolve(self.template, pieces, later=later)
        prepared.text = resolved.text
        prepared.warnings += [warning for run in runs for warning in run.warnings()]
        if not later:
            prepared.warnings += [warning._replace(stage=stage) for warning in resolved.warnings]
        prepared.stages.append(_trace(stage, resolved, runs, time.monotonic() - started))

    def _run(self, module: Module, stage: int, surroundings: Surroundings, prepared: Prepared) -> Execution:
        self.check()
        surroundings = replace(surroundings, changes=prepared.changes)
        try:
            done = execute(module, stage, surroundings, {})
            prepared.changes = done.changes
            return done
        except Transient as error:  # the text does without a module whose model is away
            return not_run(module, stage, surroundings, str(error))

    def _kept(self, module: Module, said: str, tell: Tell) -> Piece:
        """Return what a module contributes without running: its text, or what it left after an earlier reply."""
        if module.type == ModuleType.SIMPLE:
            return Piece(text="") if stages.is_silent(module, said, tell) else Piece(module.content or "")
        if module.execution_context != ExecutionContext.POST_RESPONSE:
            return Piece(text="")
        if module.id in self.states:
            return Piece(module.content or "", self.states[module.id])
        return Piece(text="") if template.has_variables(module.content) else Piece(module.content or "")


def _uncalled(name: str) -> Warned:
    why = "it runs on demand and has no trigger_pattern: no message calls for it, and its place stays empty"
    return Warned(name, "module_never_called", f"@{name}: {why}", FIRST)


def _trace(stage: int, resolved: Resolved, runs: list[Execution], seconds: float) -> StageTrace:
    return {
        "stage": stage,
        "name": stages.STAGE_NAMES[stage],
        "text": resolved.text,
        "resolved_modules": list(resolved.modules),
        "modules": [run.trace() for run in runs],
        "seconds": round(seconds, 4),
    }
