"""Which of a script's variables are its result (seed 001). Pure."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

KNOWN = frozenset(
    """result output value data response content role mood count status message name title description summary info
    text""".split()
)
PRIVATE = ("_", "temp_", "tmp_", "internal_")
LOOP_LETTERS = frozenset("xyzijkn")
ENDINGS = ("_result", "_output")
PLAIN = (str, int, float, bool, list, dict, tuple)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def candidates(script: str) -> list[str]:
    """Return the names that a script may assign at its top level and that could be results, in order."""
    try:
        tree = ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return list(dict.fromkeys(name for name in _assigned(tree) if not _is_private(name)))


def _assigned(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*SCOPES, *COMPREHENSIONS)):
            continue
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif isinstance(child, ast.MatchAs | ast.MatchStar) and child.name:
            yield child.name
        yield from _assigned(child)


def _is_private(name: str) -> bool:
    return name.startswith(PRIVATE) or name in LOOP_LETTERS


def results(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the variables that seed 001 calls a script's output."""
    return {name: value for name, value in variables.items() if _is_result(name, value)}


def _is_result(name: str, value: Any) -> bool:
    if _is_private(name):
        return False
    return name in KNOWN or name.endswith(ENDINGS) or (isinstance(value, PLAIN) and len(name) > 1)
