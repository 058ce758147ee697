"""What the sandbox's Python does without, found in a script before it runs. Pure."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from shared.domain.analysis import CONTEXT
from shared.domain.rewriting import is_rewritten

MODULES = frozenset(
    """asyncio base64 bisect collections copy dataclasses datetime decimal functools hashlib itertools json math os
    pathlib random re sys time typing unicodedata""".split()
)
MISSING_FUNCTIONS = frozenset("callable compile dir globals input super vars __import__".split())
CONTEXT_FUNCTIONS = frozenset(
    """generate reflect set_variable get_variable get_all_variables log get_current_time get_relative_time
    get_day_of_week is_business_hours format_timestamp get_message_count get_recent_messages get_raw_recent_messages
    get_conversation_history get_message_range get_conversation_summary get_persona_info get_recent_memories
    get_memory_text get_memory_status get_buffer_messages should_compress_buffer should_compress_buffer_by_ids
    store_memory clear_memories run_module has_function get_available_functions can_reflect
    get_reflection_audit_trail to_json from_json join_strings split_string count_words""".split()
)
MISSING_SYNTAX: dict[type[ast.AST], str] = {
    ast.Delete: "`del` takes names, items and plain slices: assign None, or build a new list or dict",
    ast.Yield: "`yield` does not exist: return a list",
    ast.YieldFrom: "`yield` does not exist: return a list",
    ast.TryStar: "`except*` does not exist: use `except`",
    ast.Await: "nothing can be awaited: call functions of ctx directly",
    ast.AsyncFor: "nothing can be awaited: use `for`",
    ast.AsyncWith: "nothing can be awaited: use `with`",
}


class Gap(NamedTuple):
    """Something that a script uses and the sandbox does not have."""

    line: int
    message: str


def gaps(script: str | None) -> list[Gap]:
    """Return what a script uses that the sandbox does not have, by line; nothing for what is no Python at all."""
    try:
        tree = ast.parse(script or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = (Gap(line, message) for node in ast.walk(tree) for line, message in _gaps_of(node, called))
    return sorted(set(found))


def _gaps_of(node: ast.AST, called: set[int]) -> Iterator[tuple[int, str]]:
    line = getattr(node, "lineno", 0)
    if type(node) in MISSING_SYNTAX and not is_rewritten(node):
        yield line, MISSING_SYNTAX[type(node)]
    elif isinstance(node, ast.ClassDef):
        yield from ((line, message) for message in _of_class(node))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((line, message) for message in _of_import(node))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MISSING_FUNCTIONS:
        yield line, f"there is no function `{node.func.id}`"
    elif isinstance(node, ast.Attribute) and id(node) not in called and _is_function_of_the_context(node):
        yield line, f"`ctx.{node.attr}` can only be called where it stands, not kept or handed on"


def _of_class(node: ast.ClassDef) -> Iterator[str]:
    if node.bases or node.keywords:
        yield "classes cannot inherit"
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.decorator_list:
            yield f"methods cannot be decorated: {node.name}.{member.name}"


def _of_import(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    yield from (f"there is no module `{name}`" for name in names if not _exists(name, node))
    if any(alias.name == "*" for alias in node.names):
        yield "`import *` does not exist: name what you import"


def _exists(name: str, node: ast.Import | ast.ImportFrom) -> bool:
    return name.partition(".")[0] in MODULES or (name == "uuid" and is_rewritten(node))


def _is_function_of_the_context(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == CONTEXT and node.attr in CONTEXT_FUNCTIONS
