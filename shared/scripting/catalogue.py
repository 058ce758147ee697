"""Every function of `ctx`, as a table: what it is called, takes, does, how often, and which code does it."""

import inspect
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from shared.scripting.context import Context
from shared.scripting.functions import clock, conversation, introspection, memory, model, modules, text, variables


class Parameter(NamedTuple):
    """What a function takes; `*name` and `**name` take any number."""

    name: str
    type: str
    default: Any
    required: bool


class Function(NamedTuple):
    """A function that scripts call as `ctx.name(…)`."""

    name: str
    category: str
    signature: str
    doc: str
    parameters: tuple[Parameter, ...]
    call: Callable[..., Any]


STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
CATEGORIES: dict[str, ModuleType] = {
    "time": clock,
    "conversation": conversation,
    "memory": memory,
    "utility": text,
    "ai": model,
    "variables": variables,
    "modules": modules,
    "introspection": introspection,
}
QUOTAS = model.QUOTAS | memory.QUOTAS | modules.QUOTAS


def _functions(category: str, module: ModuleType) -> list[Function]:
    found = vars(module).items()
    own = [(name, value) for name, value in found if inspect.isfunction(value) and value.__module__ == module.__name__]
    return [_described(name, category, call) for name, call in own if not name.startswith("_")]


def _described(name: str, category: str, call: Callable[..., Any]) -> Function:
    signature = inspect.signature(call)
    visible = signature.replace(parameters=list(signature.parameters.values())[1:])
    parameters = tuple(_parameter(each) for each in visible.parameters.values())
    return Function(name, category, f"ctx.{name}{visible}", inspect.getdoc(call) or "", parameters, call)


def _parameter(given: inspect.Parameter) -> Parameter:
    stars = STARS.get(given.kind, "")
    required = given.default is inspect.Parameter.empty and not stars
    default = given.default if given.default is not inspect.Parameter.empty else None
    return Parameter(stars + given.name, inspect.formatannotation(given.annotation), default, required)


FUNCTIONS = {
    function.name: function for category, module in CATEGORIES.items() for function in _functions(category, module)
}


def bound(context: Context) -> dict[str, Callable[..., Any]]:
    """Return what `ctx` offers to one run."""
    return {name: partial(function.call, context) for name, function in FUNCTIONS.items()}
