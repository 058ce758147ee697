"""What the sandbox's own Python lacks and scripts have all the same: `del`, an honest `hasattr`, ids."""

from typing import Any
from uuid import UUID

import pytest

from shared.domain import language
from shared.queries.scope import Scope
from shared.scripting.context import Context, Surroundings
from shared.scripting.functions import clock
from shared.scripting.prelude import METHODS
from shared.scripting.values import ScriptError
from tests.unit.test_sandbox import ran

VALUES = {"str": "'a'", "list": "[1]", "dict": "{1: 2}", "tuple": "(1,)", "set": "{1}", "bytes": "b'a'"}


@pytest.mark.capability("C72")
@pytest.mark.parametrize("kind", sorted(METHODS))
def test_hasattr_tells_the_methods_that_a_value_has(kind: str) -> None:
    names = METHODS[kind].split()
    tries = [f"try:\n    {VALUES[kind]}.{name}()\nexcept AttributeError:\n    lacks.append('{name}')\n"
             f"except Exception:\n    pass" for name in names]  # fmt: skip
    done = ran(
        "\n".join(["lacks = []", *tries, f"result = [hasattr({VALUES[kind]}, n) for n in {[*names, 'fly', '__x']}]"])
    )
    assert done.variables == {"lacks": [], "result": [True] * len(names) + [False, False]}, done.message


@pytest.mark.capability("C72")
def test_hasattr_tells_the_functions_and_attributes_of_the_context_and_of_classes() -> None:
    script = """class A:
    b = 1
result = [hasattr(ctx, name) for name in ("recall", "who", "fly")] + [hasattr(A(), "b"), hasattr(A(), "upper")]"""

    def attribute(name: str) -> str:
        if name != "who":
            raise ScriptError(name)
        return "Ada"

    assert ran(script, attribute=attribute).variables["result"] == [True, True, False, True, False]


@pytest.mark.capability("C72")
@pytest.mark.parametrize(
    ("script", "variables"),
    [
        ("aa = 1\nbb = 2\ndel aa", {"bb": 2}),
        ("aa = [1, 2, 3]\ndel aa[0]", {"aa": [2, 3]}),
        ("aa = [1, 2, 3]\ndel aa[-1], aa[0]", {"aa": [2]}),
        ("aa = [1, 2, 3]\ndel aa[1:]", {"aa": [1]}),
        ("aa = {'é': 1, 'b': 2}; del aa['é'] # gone\nbb = 1", {"aa": {"b": 2}, "bb": 1}),
        ("aa = {(1, 2): 1}\ndel aa[1, 2]", {"aa": {}}),
        ("aa = [1]\nif aa: del (\n  aa[0],\n)  # all\nbb = 'del x'", {"aa": [], "bb": "del x"}),
        ("aa = {'x': {'y': [1, 2]}}\r\ndel aa['x']['y'][0]\r\n", {"aa": {"x": {"y": [2]}}}),
        ("def ff(d):\n    del d['a']\n    return d\naa = ff({'a': 1})", {"aa": {}}),
        ("aa = {}\ntry:\n    del aa['a']\nexcept KeyError:\n    bb = 1", {"aa": {}, "bb": 1}),
    ],
)
def test_what_is_deleted_is_gone(script: str, variables: dict[str, Any]) -> None:
    done = ran(script)
    assert (done.status, done.variables) == ("ok", variables), done.message
    assert language.gaps(script) == []


def test_an_error_behind_a_deletion_keeps_its_line() -> None:
    done = ran("aa = [1, 2]\ndel (\n  aa[0],\n  aa[0]\n)\nimport uuid\nbb = hasattr(1, 'x')\n1 / 0")
    assert "line 8" in done.message


@pytest.mark.capability("C72")
@pytest.mark.parametrize(
    "script",
    [
        "import uuid\nresult = str(uuid.uuid4())",
        "import json, uuid as u\nresult = json.loads(json.dumps(f'{u.uuid4()}'))",
        "from uuid import uuid4 as new\nresult = str(new())",
    ],
)
def test_an_id_can_be_made(script: str) -> None:
    result = ran(script, seed=1).variables["result"]
    assert (UUID(result).version, str(UUID(result))) == (4, result)
    assert language.gaps(script) == []


@pytest.mark.parametrize("zone", ["Mars/Phobos", "+03:00", "../etc", "Europe", 7, "\0"])
def test_a_time_zone_that_there_is_not_is_named(zone: Any) -> None:
    context = Context(Surroundings(Scope("default")), "clock", 1)
    with pytest.raises(ScriptError, match="there is no time zone"):
        clock.get_current_time(context, "%H:%M", zone)
