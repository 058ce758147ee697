"""A script's needs are read from its syntax, not guessed from its letters."""

import time

import pytest

from shared.domain.analysis import analyze


@pytest.mark.parametrize(
    ("script", "uses_generate", "uses_reflect"),
    [
        pytest.param(None, False, False, id="no script"),
        pytest.param("", False, False, id="empty"),
        pytest.param("ctx.generate('hello')", True, False, id="a call"),
        pytest.param("ctx.reflect('hello')", False, True, id="a reflection"),
        pytest.param("x = generate_id()", False, False, id="a like name"),
        pytest.param("ctx.generate_id()", False, False, id="a like method"),
        pytest.param("# ctx.generate('x')", False, False, id="a comment"),
        pytest.param("s = \"ctx.generate('x')\"", False, False, id="a string"),
        pytest.param("other.generate('x')", False, False, id="somebody else's method"),
        pytest.param("g = ctx.generate\ng('x')", True, False, id="a bound method under another name"),
        pytest.param("c = ctx\nc.generate('x')", True, False, id="the context under another name"),
        pytest.param("b = a\na = ctx\nb.reflect('x')", False, True, id="the context through two names"),
        pytest.param("c: object = ctx\nc.reflect('x')", False, True, id="an annotated name"),
        pytest.param("a = b = ctx\nb.reflect('x')", False, True, id="a chained assignment"),
        pytest.param("(c := ctx).generate('x')\nc.reflect('y')", True, True, id="a walrus"),
        pytest.param("a = (b := ctx)\na.reflect('y')", False, True, id="a name after a walrus"),
        pytest.param("getattr(ctx, 'generate')('x')", True, False, id="getattr"),
        pytest.param("getattr(other, 'generate')('x')", False, False, id="getattr of something else"),
        pytest.param("getattr(ctx, name)('x')", False, False, id="getattr of a name unknown until it runs"),
        pytest.param("def f(c):\n    return c.generate('x')\nf(ctx)", True, False, id="handed to a function"),
        pytest.param("f = lambda c: c.generate('x')\nf(c=ctx)", True, False, id="handed to a lambda by name"),
        pytest.param("def f():\n    return ctx.generate('x')", True, False, id="inside a function"),
    ],
)
def test_ai_is_needed_when_the_context_is_asked_for_it(script: str | None, uses_generate: bool, uses_reflect: bool):
    analysis = analyze(script)
    assert (analysis["uses_generate"], analysis["uses_reflect"]) == (uses_generate, uses_reflect)
    assert analysis["requires_ai_inference"] is (uses_generate or uses_reflect)
    assert analysis["analysis_success"] is True


def test_functions_are_named_once_ai_apart_from_the_rest():
    analysis = analyze("ctx.generate(ctx.get_current_time())\nctx.set_variable('t', ctx.get_current_time())")
    assert analysis["detected_functions"] == ["generate", "get_current_time", "set_variable"]
    assert analysis["ai_function_calls"] == ["generate"]
    assert analysis["plugin_function_calls"] == ["get_current_time", "set_variable"]
    assert analysis["uses_other_plugins"] is True


def test_a_script_that_cannot_be_read_needs_no_ai_and_says_why():
    analysis = analyze("ctx.generate('x'\n")
    assert analysis["analysis_success"] is False
    assert analysis["estimated_complexity"] == "unknown"
    assert analysis["requires_ai_inference"] is False
    assert "never closed" in analysis["error_message"]


@pytest.mark.parametrize(
    ("script", "complexity"),
    [
        pytest.param("", "low", id="nothing"),
        pytest.param("ctx.a()\n", "low", id="one line"),
        pytest.param("for x in y:\n    ctx.a()\n    ctx.b()\n    ctx.c()", "medium", id="a loop and three functions"),
        pytest.param("if x:\n    pass\n" + "y = 1\n" * 20, "medium", id="an if in twenty-two lines"),
        pytest.param("while x:\n    if y:\n        break\n" + "z = 1\n" * 50, "high", id="a loop, an if, fifty lines"),
    ],
)
def test_complexity_counts_lines_functions_loops_and_conditions(script: str, complexity: str):
    assert analyze(script)["estimated_complexity"] == complexity


def test_blank_lines_do_not_count():
    assert analyze("a = 1\n\n\nb = 2\n")["line_count"] == 2


@pytest.mark.capability("C199")
def test_a_long_chain_of_aliases_is_followed_in_one_pass() -> None:
    chain = "a0 = ctx\n" + "\n".join(f"a{number + 1} = a{number}" for number in range(9_000))
    started = time.process_time()
    assert analyze(f"{chain}\na9000.generate('hi')")["uses_generate"] is True
    assert time.process_time() - started < 5  # a pass for each step took more than half a minute
