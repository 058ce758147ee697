"""Rules that stood in several places, each with its own words: each stands in one."""

import ast
import re
from collections.abc import Iterator

from shared.domain.lifecycle import RunStatus, quoted
from shared.domain.text import is_storable, make_storable
from shared.scripting.values import clean
from tests.architecture.sources import Source, sources

SPELLING = (
    "shared/domain/lifecycle.py",
    "shared/queries/work/workers.py",
)  # the second as the health check's copy of it
STATE = re.compile("'({})'".format("|".join(RunStatus)))


def texts(source: Source) -> list[str]:
    """Return the texts of a module that are no documentation."""
    return [node.value for node in source.find(ast.Constant) if isinstance(node.value, str)]


def test_a_state_in_sql_is_that_of_the_life_of_work() -> None:
    elsewhere = [source for source in sources("gateway", "services", "shared") if source.path not in SPELLING]
    assert {source.path for source in elsewhere for text in texts(source) if STATE.search(text)} == set()
    assert quoted(RunStatus.FAILED, RunStatus.CANCELLED) == "'FAILED', 'CANCELLED'"


def test_one_function_makes_a_text_one_that_can_be_stored() -> None:
    cleaning = {source.path for source in sources("gateway", "services", "shared") if any(drops_nul(source))}
    assert cleaning == {"shared/domain/text.py"}


def drops_nul(source: Source) -> Iterator[bool]:
    """Yield, for each `x.replace(…)`, whether it takes NUL out."""
    for call in source.calls("replace"):
        yield any(isinstance(node, ast.Constant) and node.value == "\0" for node in call.args)


def test_the_names_of_queues_stand_in_one_module() -> None:
    columns = [source for source in sources("shared") if source.path.startswith("shared/models/")]
    named = {source.path for source in columns for line in source.text.splitlines() if "queue:" in line and '"' in line}
    assert named == set()


def test_the_longest_wait_for_modules_is_one_expression() -> None:
    asking = {source.path for source in sources("shared") if 'bindparam("wait")' in source.text}
    assert asking == {"shared/queries/dialogue/executions.py"}


def test_what_scripts_and_models_write_is_mended_alike() -> None:
    for text in ("a\0b", "\ud83d\ude00", "half \ud83d", "whole"):
        assert clean(text) == make_storable(text)
        assert is_storable(make_storable(text))
    assert not any(map(is_storable, ("a\0b", "half \ud83d")))
