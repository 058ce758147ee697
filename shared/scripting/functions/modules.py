"""Other modules, run from a script within what is left of its own limits."""

from typing import Any

from shared.db import get_session
from shared.queries.personas import modules
from shared.scripting.context import Context, ModuleResult
from shared.scripting.spending import DEEPEST

QUOTAS = {"run_module": 20}  # calls in one run, with those of the modules that it runs


def run_module(context: Context, name: str, **variables: Any) -> dict[str, Any]:
    """Run an active module of any kind, which gets the given variables; return success, output, variables, error."""
    return _run(context, str(name).removeprefix("@"), variables)._asdict()


def _run(context: Context, name: str, variables: dict[str, Any]) -> ModuleResult:
    with get_session() as session:
        module = modules.find_active(session, context.surroundings.scope, name)
    if module is None:
        return _refused(context, "module_not_found", f"there is no active module @{name}")
    if module.id in context.path:
        return _refused(context, "circular_dependency", f"@{name} runs already: it cannot run inside itself")
    if len(context.path) > DEEPEST:
        return _refused(context, "nested_too_deep", f"@{name} would run more than {DEEPEST} modules deep")
    assert context.inside is not None
    return context.inside(module, variables)


def _refused(context: Context, kind: str, why: str) -> ModuleResult:
    context.warn(kind, why)
    return ModuleResult(False, "", {}, why)
