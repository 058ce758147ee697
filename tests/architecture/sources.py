"""Our own source code, as its tests read it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PRODUCT = ("gateway", "services", "shared", "deploy")


class Source(NamedTuple):
    """A module: its path from the root, its text, its syntax."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Count the lines that are not blank."""
        return sum(1 for line in self.text.splitlines() if line.strip())

    def find(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield the nodes of these kinds."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def calls(self, name: str) -> Iterator[ast.Call]:
        """Yield the calls of a function or method by its last name."""
        return (call for call in self.find(ast.Call) if called(call) == name)


def sources(*folders: str) -> list[Source]:
    """Return every module below these folders."""
    return [source for folder in folders for source in _below(folder)]


@cache
def _below(folder: str) -> list[Source]:
    texts = {path: path.read_text() for path in sorted((ROOT / folder).rglob("*.py"))}
    return [Source(str(path.relative_to(ROOT)), text, ast.parse(text)) for path, text in texts.items()]


def called(call: ast.Call) -> str:
    """Return the last name of what is called: `sleep` for `time.sleep(1)`."""
    return ast.unparse(call.func).rpartition(".")[2]
