"""Which variables of a script are its result, by seed 001's rules."""

import pytest

from shared.domain.outputs import candidates, results


@pytest.mark.parametrize(
    ("script", "names"),
    [
        pytest.param("mood = 1\nmood = 2", ["mood"], id="once"),
        pytest.param("first, (second, *rest) = f()", ["first", "second", "rest"], id="unpacking"),
        pytest.param("if x:\n    a1 = 1\nelse:\n    b1 = 2", ["a1", "b1"], id="in branches"),
        pytest.param("for item in ():\n    total = (last := 1)", ["item", "total", "last"], id="in loops"),
        pytest.param("with f() as handle: pass", ["handle"], id="of with"),
        pytest.param("def f():\n    inner = 1", [], id="not of functions"),
        pytest.param("names = [one for one in ()]", ["names"], id="not of comprehensions"),
        pytest.param("match 1:\n    case [head, *tail]: pass", ["head", "tail"], id="of match"),
        pytest.param("_a = temp_b = tmp_c = internal_d = x = i = 1", [], id="private names and loop letters"),
        pytest.param("import json\nclass C: pass", [], id="not what is imported or declared"),
        pytest.param("if", [], id="no Python"),
    ],
)
def test_names_assigned_at_the_top(script: str, names: list[str]) -> None:
    assert candidates(script) == names


def test_plain_values_and_known_names_are_results() -> None:
    found = {"mood": None, "a": 1, "bb": 1, "my_result": None, "nothing": None, "_private": 1, "items": [1]}
    assert results(found) == {"mood": None, "bb": 1, "my_result": None, "items": [1]}
