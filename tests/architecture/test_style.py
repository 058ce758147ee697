"""The budgets and habits of the house style, measured."""

import ast
from statistics import median, quantiles

import pytest

from tests.architecture.sources import PRODUCT, Source, sources

LONGEST_FILE = 300
LONGEST_FAMILY_OF_TABLES = 400
MEDIAN_FUNCTION, LONG_FUNCTION = 8, 25  # lines
SEED_WORDS = "tests/conformance/"
SLOW_ON_PURPOSE = ("tests/processes.py", "tests/fakes/", "tests/bench/")
TESTS = tuple(source for source in sources("tests") if not source.path.startswith(SEED_WORDS))


def is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def lengths(*folders: str) -> list[int]:
    found = [node for source in sources(*folders) for node in ast.walk(source.tree) if is_function(node)]
    return [node.end_lineno - node.lineno + 1 for node in found]


@pytest.mark.parametrize("folder", [*PRODUCT, "tests"])
def test_functions_are_short(folder: str) -> None:
    found = lengths(folder)
    assert median(found) <= MEDIAN_FUNCTION
    assert quantiles(found, n=10)[-1] <= LONG_FUNCTION


def test_no_file_is_long() -> None:
    found = {source.path: source.lines for source in (*sources(*PRODUCT), *TESTS)}
    assert {path: lines for path, lines in found.items() if lines > budget(path)} == {}


def budget(path: str) -> int:
    return LONGEST_FAMILY_OF_TABLES if path.startswith("shared/models/") else LONGEST_FILE


def test_only_the_life_of_work_what_runs_in_the_background_and_the_cutting_of_files_catch_every_exception() -> None:
    catching = {source.path for source in sources(*PRODUCT) if any(map(catches_all, source.find(ast.ExceptHandler)))}
    assert catching == {"services/work.py", "shared/background.py", "shared/providers/parsing/parts.py"}


def catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")


def test_every_thread_of_ours_says_what_it_fails_with() -> None:
    beginning = {source.path for source in sources(*PRODUCT) if any((*source.calls("Thread"), *source.calls("Timer")))}
    assert beginning == {"shared/background.py"}


def test_one_place_commits() -> None:
    assert {source.path for source in sources(*PRODUCT) if any(source.calls("commit"))} == {"shared/db.py"}


def test_tests_wait_for_states_and_not_for_time() -> None:
    waiting = {source.path for source in TESTS if any(source.calls("sleep"))}
    assert [path for path in waiting if not path.startswith(SLOW_ON_PURPOSE)] == []


def test_no_module_is_a_drawer_for_what_fits_nowhere() -> None:
    drawers = {"utils", "util", "helpers", "core", "manager", "common", "misc"}
    names = {part for source in sources(*PRODUCT, "tests") for part in module_names(source)}
    assert names & drawers == set()


def module_names(source: Source) -> list[str]:
    return source.path.removesuffix(".py").split("/")
