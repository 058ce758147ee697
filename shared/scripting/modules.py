"""One run of a module: its script with its `ctx`, and what it contributes to a prompt."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from shared.domain import outputs
from shared.domain.template import Piece, Warned
from shared.models import Module
from shared.scripting import catalogue, runner
from shared.scripting.context import Context, Surroundings
from shared.scripting.functions.model import QUOTAS
from shared.scripting.functions.variables import MOST_VARIABLES
from shared.scripting.runner import Host, Run
from shared.scripting.values import Allowance, ScriptError, clean

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

    def piece(self) -> Piece:
        """Return what the prompt gets; nothing from a script that failed."""
        return Piece(self.module.content or "", self.variables) if self.succeeded else Piece(text="")

    def warnings(self) -> list[Warned]:
        """Say what the module had to go without, its own end included."""
        failure = [] if self.succeeded else [Warned(self.module.name, "execution_error", self.reason, self.stage)]
        return [*self.context.warnings, *failure]

    def trace(self) -> dict[str, Any]:
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
    context = Context(surroundings, module.name, stage, stored)
    run = runner.run(module.script or "", _host(context, module))
    made = outputs.results(run.variables) | context.variables
    return Execution(module, stage, run, context, _bounded({**stored, **made}) if run.status == "ok" else {})


def not_run(module: Module, stage: int | None, surroundings: Surroundings, why: str) -> Execution:
    """Return the execution of a module that could not run."""
    return Execution(module, stage, Run("error", why), Context(surroundings, module.name, stage), {})


def _host(context: Context, module: Module) -> Host:
    surroundings = context.surroundings
    names = surroundings.attributes() | {"module_name": module.name, "module_id": str(module.id)}
    return Host(
        methods=catalogue.bound(context),
        attribute=partial(_attribute, context, names),
        inputs=names,
        quotas=QUOTAS,
        now=surroundings.now(),
        seed=surroundings.seed,
    )


def _attribute(context: Context, names: Mapping[str, Any], name: str) -> Any:
    for known in (names, context.variables, context.stored):
        if name in known:
            return known[name]
    raise ScriptError(f"ctx has no attribute {name!r}")


def _bounded(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the newest variables that a state has room for."""
    allowance, kept = Allowance(), {}
    for name in [*variables][::-1][:MOST_VARIABLES]:
        with suppress(ScriptError):
            kept[name] = clean(variables[name], allowance)
    return {name: kept[name] for name in variables if name in kept}


def code_hash(module: Module) -> str:
    """Return a short hash of a module's script and content."""
    return hashlib.sha256(f"{module.script or ''}\0{module.content or ''}".encode()).hexdigest()[:16]
