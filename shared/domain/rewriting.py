"""Statements that the sandbox's Python does without, written in those that it has; each line keeps its number. Pure."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

DELETED = "_deleted"
UUID_MODULE = "_uuid"
UUID_FUNCTION = "uuid4"


class _Edit(NamedTuple):
    """Bytes of the source, and the statement that takes their place."""

    start: int
    end: int
    text: str


def rewrite(source: str) -> str:
    """Return the script with `del` and `import uuid` in words that the sandbox knows; others stay as they are."""
    if ("del" not in source and "uuid" not in source) or "\r" in source.replace("\r\n", ""):
        return source  # a line end that only Python counts would move every place
    try:
        edits = list(_edits(ast.parse(source), source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    raw = source.encode()
    for edit in sorted(edits, reverse=True):
        raw = raw[: edit.start] + edit.text.encode() + raw[edit.end :]
    return raw.decode()


def is_rewritten(node: ast.AST) -> bool:
    """Say whether a statement is one that `rewrite` writes in other words."""
    match node:
        case ast.Delete(targets=targets):
            return all(_can_go(target) for target in targets)
        case ast.Import(names=names):
            return any(alias.name == "uuid" for alias in names)
        case ast.ImportFrom(module="uuid", names=names, level=0):
            return all(alias.name == UUID_FUNCTION for alias in names)
        case _:
            return False


def _can_go(target: ast.expr) -> bool:
    match target:
        case ast.Name():
            return True
        case ast.Subscript(slice=ast.Slice(step=step)):
            return step is None
        case ast.Subscript(slice=ast.Tuple(elts=parts)):
            return not any(isinstance(part, ast.Slice) for part in parts)
        case ast.Subscript():
            return True
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(_can_go(part) for part in parts)
        case _:
            return False


def _edits(tree: ast.Module, source: str) -> Iterator[_Edit]:
    starts = [0]
    for line in source.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.Delete | ast.Import | ast.ImportFrom) and is_rewritten(node):
            end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
            text = "; ".join(_statements(node)) + " \\\n" * (end_line - node.lineno)
            yield _Edit(starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column, text)


def _statements(node: ast.Delete | ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Delete):
        for target in node.targets:
            yield from _without(target)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{alias.asname or alias.name} = {UUID_MODULE}.{alias.name}" for alias in node.names)
    else:
        yield from (_imported(alias) for alias in node.names)


def _imported(alias: ast.alias) -> str:
    if alias.name == "uuid":
        return f"{alias.asname or alias.name} = {UUID_MODULE}"
    return f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")


def _without(target: ast.expr) -> Iterator[str]:
    """Yield what deletes a target; each is one line, as `ast.unparse` writes it."""
    match target:
        case ast.Name(id=name):
            yield f"{name} = {DELETED}"
        case ast.Subscript(value=value, slice=ast.Slice() as span):
            yield f"({ast.unparse(value)})[{ast.unparse(span)}] = []"
        case ast.Subscript(value=value, slice=key):
            yield f"({ast.unparse(value)}).pop(({ast.unparse(key)}))"
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _without(part)
