"""What a module keeps: for its content, and for its next run in the conversation."""

from typing import Any

from shared.scripting.context import Context
from shared.scripting.values import ScriptError

MOST_VARIABLES = 200
LONGEST_NAME = 100


def set_variable(context: Context, name: str, value: Any) -> None:
    """Keep a value under a name: `${name}` in the content, and for the next run where the module has a state."""
    if len(name) > LONGEST_NAME or (name not in context.variables and len(context.variables) >= MOST_VARIABLES):
        raise ScriptError(f"a module may keep {MOST_VARIABLES} variables, with names of {LONGEST_NAME} characters")
    context.variables[name] = value


def get_variable(context: Context, name: str, default: Any = None) -> Any:
    """Return what the module kept, in this run or an earlier one; before a reply also what others kept after one."""
    for known in (context.variables, context.stored, context.surroundings.remembered):
        if name in known:
            return known[name]
    return default


def get_all_variables(context: Context) -> dict[str, Any]:
    """Return everything that the module kept."""
    return {**context.stored, **context.variables}


def log(context: Context, *values: Any) -> None:
    """Write a line into the trace of the run."""
    context.log(" ".join(str(value) for value in values)[:1000])
