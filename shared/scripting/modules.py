"""One run of a module: its script with its `ctx`, and what it contributes to a prompt."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from shared.domain import outputs, stages, template
from shared.domain.memory import Changes
from shared.domain.stages import ModuleType
from shared.domain.template import Piece, Warned
from shared.domain.trace import ModuleTrace
from shared.models import Module
from shared.scripting import catalogue, runner
from shared.scripting.context import Context, ModuleResult, Surroundings
from shared.scripting.functions.variables import MOST_VARIABLES
from shared.scripting.runner import Host, Run
from shared.scripting.values import BUDGET, Allowance, ScriptError, clean

NOT_KEPT = "variable_not_kept"
LONGEST_TRACED = 2000  # characters of what a script printed


class Execution(NamedTuple):
    """A module that ran: its variables, and how it went."""

    module: Module
    stage: int | None
    run: Run
    context: Context
    variables: dict[str, Any]

    @property
    def succeeded(self) -> bool:
        """Whether the script came to its end."""
        return self.run.status == "ok"

    @property
    def reason(self) -> str:
        """Why it did not, in one line."""
        lines = self.run.message.strip().splitlines() or [self.run.status]
        return f"{self.run.status}: {lines[-1]}"

    @property
    def changes(self) -> Changes:
        """What it did to the conversation's memory, and scripts before it; a script that failed did nothing."""
        return self.context.changes if self.succeeded else self.context.surroundings.changes

    def text(self) -> str:
        """Return what it contributes to a text in which nothing else is."""
        return template.resolve(f"@{self.module.name}", {self.module.name: self.piece()}).text

    def piece(self) -> Piece:
        """Return what the prompt gets; nothing from a script that failed."""
        return Piece(self.module.content or "", self.variables) if self.succeeded else Piece(text="")

    def warnings(self) -> list[Warned]:
        """Say what the module had to go without, its own end included."""
        failure = [] if self.succeeded else [Warned(self.module.name, "execution_error", self.reason, self.stage)]
        return [*self.context.warnings, *failure]

    def trace(self) -> ModuleTrace:
        """Return how it went, as JSON has it."""
        return {
            "module": self.module.name,
            "module_id": str(self.module.id),
            "stage": self.stage,
            "code": code_hash(self.module),
            "status": self.run.status,
            "message": self.run.message or None,
            "variables": self.variables,
            "printed": self.run.printed[:LONGEST_TRACED],
            "log": self.context.logged,
            "seconds": self.run.seconds,
            "ai_seconds": round(self.context.asked_seconds, 4),
            "ai_calls": self.context.asked,
        }


def execute(module: Module, stage: int | None, surroundings: Surroundings, stored: Mapping[str, Any]) -> Execution:
    """Run a module's script, which remembers what was `stored`; raises Transient while a model is away."""
    context = Context(surroundings, module.name, stage, stored, path=(module.id,), changes=surroundings.changes)
    return _execute(module, context)


def _execute(module: Module, context: Context) -> Execution:
    context.inside = partial(_execute_inside, context)
    script = module.script if module.type == ModuleType.ADVANCED else None
    run = runner.run(script or "", _host(context, module))
    made = outputs.results(run.variables) | context.variables
    variables = _bounded({**context.stored, **made}, context) if run.status == "ok" else {}
    for name, why in run.lost.items():
        context.warn(NOT_KEPT, f"the variable {name} is not kept: {why}")
    return Execution(module, context.stage, run, context, variables)


def _execute_inside(outer: Context, module: Module, given: Mapping[str, Any]) -> ModuleResult:
    """Run a module for the script of another, within what is left of its limits."""
    inner = replace(outer, module_name=module.name, stored=given, path=(*outer.path, module.id), **_blank())
    done = _execute(module, inner)
    outer.take_over(inner)
    outer.changes = done.changes if done.succeeded else outer.changes
    outer.warnings += done.warnings()
    return ModuleResult(done.succeeded, done.text(), done.variables, None if done.succeeded else done.reason)


def _blank() -> dict[str, Any]:
    """Return what a run inside another begins anew."""
    return {"variables": {}, "logged": [], "warnings": [], "asked": 0, "asked_seconds": 0.0}


def not_run(module: Module, stage: int | None, surroundings: Surroundings, why: str) -> Execution:
    """Return the execution of a module that could not run."""
    context = Context(surroundings, module.name, stage, changes=surroundings.changes)
    return Execution(module, stage, Run("error", why), context, {})


def _names(context: Context, module: Module) -> dict[str, Any]:
    """Return what a script may read as a plain name: what was said, and what it is (seed 001's automatic variables)."""
    stage = context.stage or stages.ON_DEMAND_PRIORITY
    its_own = {
        "module_name": module.name,
        "module_id": str(module.id),
        "stage": stage,
        "stage_name": stages.STAGE_NAMES[stage],
    }
    return context.surroundings.attributes() | its_own


def _host(context: Context, module: Module) -> Host:
    surroundings, names = context.surroundings, _names(context, module)
    return Host(
        methods=catalogue.bound(context),
        attribute=partial(_attribute, context, names),
        inputs=names,
        quotas=catalogue.QUOTAS,
        now=surroundings.now(),
        seed=surroundings.seed,
        depth=len(context.path) - 1,
        spending=context.spending,
    )


def _attribute(context: Context, names: Mapping[str, Any], name: str) -> Any:
    for known in (names, context.variables, context.stored):
        if name in known:
            return known[name]
    raise ScriptError(f"ctx has no attribute {name!r}")


def _bounded(variables: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Keep the newest variables that a state has room for, and warn of the others."""
    allowance, kept = Allowance(), {}
    for name in [*variables][::-1][:MOST_VARIABLES]:
        with suppress(ScriptError):
            kept[name] = clean(variables[name], allowance)
    if lost := [name for name in variables if name not in kept]:
        room = f"{MOST_VARIABLES} variables and {BUDGET // 1024} KiB"
        context.warn(NOT_KEPT, f"a module may keep {room}: not kept are {', '.join(lost[:10])}")
    return {name: kept[name] for name in variables if name in kept}


def code_hash(module: Module) -> str:
    """Return a short hash of a module's script and content."""
    return hashlib.sha256(f"{module.script or ''}\0{module.content or ''}".encode()).hexdigest()[:16]
