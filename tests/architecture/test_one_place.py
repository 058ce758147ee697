"""What readers of several formats share is said in one place."""

import ast
from collections import Counter

from tests.architecture.sources import Source, sources


def test_readers_share_what_they_know_of_pictures_links_and_tables() -> None:
    shared = {"FILE_NAMES", "LONGEST_ADDRESS", "AFTER_BLANK", "row_of", "IS_LOADING"}
    found = Counter(name for source in sources("shared") for name in defined(source) if name in shared)
    assert {name: times for name, times in found.items() if times > 1} == {}


def defined(source: Source) -> list[str]:
    tops = [node for node in source.tree.body if isinstance(node, ast.Assign | ast.FunctionDef)]
    targets = [target for node in tops if isinstance(node, ast.Assign) for target in node.targets]
    return [node.name for node in tops if isinstance(node, ast.FunctionDef)] + [
        target.id for target in targets if isinstance(target, ast.Name)
    ]
