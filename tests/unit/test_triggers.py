"""A module is called for by what the user said."""

import time
from dataclasses import dataclass

import pytest

from shared.domain.stages import ExecutionContext, ModuleType, is_silent, stage_after, stage_before
from shared.domain.triggers import fault_of, matches


@pytest.mark.capability("C67")
@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        pytest.param(None, "anything", True, id="no pattern"),
        pytest.param(" ", "", True, id="a blank pattern, no message"),
        pytest.param("*", None, True, id="a star"),
        pytest.param("weather", "", False, id="a keyword, no message"),
        pytest.param("weather", "How is the WEATHER?", True, id="a keyword in any case"),
        pytest.param("weather", "How are you?", False, id="a keyword that is missing"),
        pytest.param("rain|snow", "Will it snow?", True, id="one of several"),
        pytest.param(r"^\d{4}$", "1815", True, id="a regular expression"),
        pytest.param(r"^\d{4}$", "in 1815", False, id="a regular expression that does not match"),
        pytest.param("[rain | snow", "let it SNOW", True, id="no expression: its keywords"),
        pytest.param("c++(", "I like C++(", True, id="no expression: a plain word"),
        pytest.param("[|", "anything", False, id="no expression, an empty keyword"),
        pytest.param("țară", "Ce ȚARĂ!", True, id="letters of any alphabet"),
    ],
)
def test_patterns(pattern: str | None, message: str | None, expected: bool) -> None:
    assert matches(pattern, message) is expected


@pytest.mark.capability("C67")
@pytest.mark.parametrize("pattern", [r"(a|aa)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(a|a?)+$", r"(.*a){20}b"])
def test_an_evil_expression_ends_within_a_second(pattern: str) -> None:
    started = time.process_time()
    assert matches(pattern, "a" * 20_000 + "!") is False
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("pattern", "word"), [(r"(a|aa)+$", "make it simpler"), (r"(.*a){20}b", "0.1 s"), ("a{1000000}", "multiply")]
)
@pytest.mark.parametrize("kind", ["before", "after", "text"])
def test_a_search_without_an_answer_is_told(pattern: str, word: str, kind: str) -> None:
    told: list[str] = []
    placed = Placed(trigger_pattern=pattern)
    message = "a" * 20_000 + "!"
    if kind == "before":
        assert stage_before(placed, message, told.append) is None
    elif kind == "after":
        placed.execution_context = ExecutionContext.POST_RESPONSE
        assert stage_after(placed, message, told.append) is None
    else:
        placed.type = ModuleType.SIMPLE
        assert is_silent(placed, message, told.append)
    assert [word in why for why in told] == [True]


HUGE = [
    "a{1000000}",
    "a{1000000}" * 10,
    "(?:a{60000}){60000}",
    "(?:(?:a{9}){99}){2000}b",
    "(?:a{0,60000}){0,60000}",
    "a{10}{10}{10}{10}{10}",
    r"[\]{2}(]{20000}",
    "((((a{100}){100}){100}",
    r"(?#[)(?:(?:a{1000}){100}){3}(?#])",
    "(?x)#[\n(?:(?:a{1000}){100}){3}#]\n",
]


@pytest.mark.capability("C199")
@pytest.mark.parametrize("pattern", HUGE)
def test_a_pattern_whose_repeats_multiply_is_never_compiled(pattern: str) -> None:
    assert "multiply" in (fault_of(pattern) or "")
    assert matches(pattern, "a" * 1000) is False


@pytest.mark.parametrize(
    "pattern",
    [
        None,
        "",
        "*",
        "rain|snow",
        r"\d{4}-\d{2}-\d{2}",
        r"[^]{9}]{3}",
        "c++",
        "x{,5}",
        "{a}",
        "(?x)a{9} # nine",
        r"#\d{5}.{0,999}",
    ],
)
def test_patterns_in_use_can_be_saved(pattern: str | None) -> None:
    assert fault_of(pattern) is None


def test_a_pattern_that_is_no_expression_is_told_with_the_reason() -> None:
    assert "no regular expression" in (fault_of("([") or "")


@dataclass
class Placed:
    type: ModuleType = ModuleType.ADVANCED
    execution_context: ExecutionContext = ExecutionContext.IMMEDIATE
    requires_ai_inference: bool = False
    trigger_pattern: str | None = None


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        pytest.param(Placed(), 1, None, id="immediate"),
        pytest.param(Placed(requires_ai_inference=True), 2, None, id="immediate with AI"),
        pytest.param(Placed(trigger_pattern="rain"), None, None, id="immediate, not called for"),
        pytest.param(Placed(execution_context=ExecutionContext.POST_RESPONSE), None, 4, id="after the reply"),
        pytest.param(
            Placed(execution_context=ExecutionContext.POST_RESPONSE, requires_ai_inference=True), None, 5, id="with AI"
        ),
        pytest.param(
            Placed(execution_context=ExecutionContext.POST_RESPONSE, trigger_pattern="rain"),
            None,
            None,
            id="state kept",
        ),
        pytest.param(Placed(execution_context=ExecutionContext.ON_DEMAND), None, None, id="on demand, no pattern"),
        pytest.param(
            Placed(execution_context=ExecutionContext.ON_DEMAND, trigger_pattern="sun"), 1, None, id="demanded"
        ),
        pytest.param(Placed(type=ModuleType.SIMPLE), None, None, id="a text never runs"),
    ],
)
def test_where_a_module_runs_for_a_message(module: Placed, before: int | None, after: int | None) -> None:
    assert (stage_before(module, "The sun shines"), stage_after(module, "The sun shines")) == (before, after)


def test_a_text_with_a_pattern_is_silent_until_called_for() -> None:
    assert is_silent(Placed(type=ModuleType.SIMPLE, trigger_pattern="rain"), "sun")
    assert not is_silent(Placed(type=ModuleType.SIMPLE), "sun")
