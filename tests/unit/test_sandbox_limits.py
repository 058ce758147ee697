"""A script that passes a limit is told which, and what is not kept of it is told too."""

import re

import pytest

from shared.domain.stages import ExecutionContext, ModuleType
from shared.models import Module
from shared.queries.scope import Scope
from shared.scripting import runner
from shared.scripting.context import Surroundings
from shared.scripting.modules import execute
from shared.scripting.runner import Host

OPERATION = "in the middle of one operation|time limit exceeded"  # on a quick machine it may come to its end


@pytest.mark.parametrize(
    ("script", "status", "limit"),
    [
        pytest.param("big = 10 ** 10 ** 8", "memory", "may hold 16 MiB", id="a number too large to hold"),
        pytest.param("big = 7 ** 10 ** 7", "timeout", OPERATION, id="one that takes too long to make"),
        pytest.param("big = pow(2, 1 << 5 * 10 ** 7, 7)", "timeout", OPERATION, id="a power of a power"),
        pytest.param("big = ','.join(['a' * 10 ** 6] * 100)", "memory", "may hold 16 MiB", id="a text in one step"),
        pytest.param("big = ('a' * 10 ** 6).split('a')", "memory", "may hold 16 MiB", id="many small texts"),
        pytest.param("print('a' * 10 ** 6)", "memory", "may print 65,536 bytes", id="a long print"),
        pytest.param("big = str(10 ** 5000)", "error", "4300 digits", id="a number written"),
        pytest.param("big = int('9' * 5000)", "error", "4300 digits", id="a number read"),
        pytest.param("big = f'{10 ** 5000}'", "error", "4300 digits", id="a number in a text"),
        pytest.param("while True: pass", "timeout", "time limit exceeded", id="a loop"),
        pytest.param("ctx.take(2 ** 300)", "error", "256 bits", id="a number for ctx"),
        pytest.param("ctx.take('a' * 10 ** 6)", "error", "256 KiB", id="a text for ctx"),
    ],
)
def test_a_script_is_told_which_limit_it_passed(script: str, status: str, limit: str) -> None:
    run = runner.run(script, Host(methods={"take": lambda value: None}))
    assert run.status == status
    assert re.search(limit, run.message)
    assert "was lost" not in run.message


@pytest.mark.parametrize(
    ("script", "limit"),
    [
        pytest.param("total = 10 ** 4300", "256 bits", id="a number"),
        pytest.param("total = 'a' * 10 ** 6", "256 KiB", id="a text"),
        pytest.param("total = []\nfor i in range(150): total = [total]", "16 levels", id="a nest"),
        pytest.param("total = float('inf')", "finite", id="infinity"),
    ],
)
def test_a_variable_that_is_not_kept_is_a_warning(script: str, limit: str) -> None:
    done = execute(written(f"mood = 'calm'\n{script}"), 1, Surroundings(Scope("default")), {})
    assert (done.succeeded, done.variables) == (True, {"mood": "calm"})
    (warning,) = done.warnings()
    assert (warning.module_name, warning.warning_type) == ("counter", "variable_not_kept")
    assert "total" in warning.message
    assert limit in warning.message


def test_what_a_state_has_no_room_for_is_a_warning() -> None:
    stored = {f"old_{number}": number for number in range(200)}
    done = execute(written("mood = 'calm'"), 4, Surroundings(Scope("default")), stored)
    assert (len(done.variables), done.variables["mood"]) == (200, "calm")
    (warning,) = done.warnings()
    assert "200 variables" in warning.message
    assert "old_0" in warning.message


def written(script: str) -> Module:
    return Module(
        name="counter",
        script=script,
        type=ModuleType.ADVANCED,
        execution_context=ExecutionContext.IMMEDIATE,
    )
