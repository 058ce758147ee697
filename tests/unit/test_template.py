"""Templates become text in one pass, whatever their modules say."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.template import LARGEST_TEXT, Piece, Resolved, examine, resolve, warnings_of

texts = st.text(alphabet="@\\${}ab _", max_size=60)


def simple(**contents: str) -> dict[str, Piece]:
    return {name: Piece(content) for name, content in contents.items()}


def kinds(resolved: Resolved) -> list[tuple[str, str]]:
    return [(warning.module_name, warning.warning_type) for warning in resolved.warnings]


@pytest.mark.capability("C52")
@pytest.mark.capability("C59")
@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("@a and @ab", "one and two", id="the longer name is its own"),
        pytest.param(r"\@a", "@a", id="escaped"),
        pytest.param(r"\@a @a", "@a one", id="escaped beside a reference"),
        pytest.param("@a, @a", "one, one", id="every occurrence"),
        pytest.param("(@a)", "(one)", id="between signs"),
        pytest.param("@9 @ a", "@9 @ a", id="no name"),
        pytest.param("${x} $a {a}", "${x} $a {a}", id="variables are of contents, not of templates"),
        pytest.param("@nested", "[one]", id="a module inside a module"),
        pytest.param("@verbatim", "${x} % {y}", id="a text is inserted as it is"),
        pytest.param("", "", id="nothing"),
        pytest.param("desk@a.example @a.", "desk@a.example one.", id="an address"),
        pytest.param("é@a 9@a _@a", "é@a 9@a _@a", id="behind a letter of any alphabet"),
        pytest.param("x@@a @@a @a@host", "x@@a @@a @a@host", id="two signs"),
        pytest.param("见@a灯台", "见one灯台", id="between letters that know no spaces"),
    ],
)
def test_references_are_replaced(template: str, text: str) -> None:
    pieces = simple(a="one", ab="two", nested="[@a]", verbatim="${x} % {y}")
    assert resolve(template, pieces) == Resolved(text, resolve(template, pieces).modules, ())


@pytest.mark.capability("C55")
def test_an_unknown_name_stays_and_is_warned_of() -> None:
    resolved = resolve("Hello @nobody, @nobody", {})
    assert resolved.text == "Hello @nobody, @nobody"
    assert kinds(resolved) == [("nobody", "module_not_found")]


@pytest.mark.capability("C54")
def test_a_circle_is_cut_and_named() -> None:
    started = time.process_time()
    resolved = resolve("@a!", simple(a="<@b>", b="(@a)"))
    assert time.process_time() - started < 1
    assert resolved.text == "<(@a)>!"
    assert kinds(resolved) == [("a", "circular_dependency")]
    assert "@a → @b → @a" in resolved.warnings[0].message


def test_ten_modules_may_lie_in_one_another_and_no_more() -> None:
    chain = simple(**{f"m{n}": f"@m{n + 1}" for n in range(12)}, m12="end")
    assert resolve("@m3", chain).text == "end"
    resolved = resolve("@m0", chain)
    assert (resolved.text, kinds(resolved)) == ("@m10", [("m10", "nested_too_deep")])


def test_modules_that_multiply_are_stopped() -> None:
    bomb = simple(**{f"m{n}": f"@m{n + 1} " * 60 for n in range(8)}, m8="x" * 1000)
    started = time.process_time()
    resolved = resolve("@m0", bomb)
    assert time.process_time() - started < 1
    assert len(resolved.text) <= LARGEST_TEXT
    assert "too_large" in {warning.warning_type for warning in resolved.warnings}


@pytest.mark.capability("C58")
@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("It is ${time}.", "It is noon.", id="known"),
        pytest.param("It is ${other}.", "It is ${other}.", id="unknown"),
        pytest.param("${count}/${count}", "3/3", id="numbers, each time"),
        pytest.param("${none}", "", id="nothing"),
        pytest.param("${list}", '["ă", 1]', id="a list as JSON"),
        pytest.param("${said}", "@time ${count} \\@x", id="a value is never read again"),
        pytest.param("  ", 'noon\n3\n\n["ă", 1]\n@time ${count} \\@x', id="no content: the values, a line each"),
    ],
)
def test_variables_of_a_script_fill_its_content(content: str, text: str) -> None:
    variables = {"time": "noon", "count": 3, "none": None, "list": ["ă", 1], "said": "@time ${count} \\@x"}
    assert resolve("@a", {"a": Piece(content, variables), "time": Piece("LEAK")}).text == text


def test_a_name_that_comes_later_stays_without_a_warning() -> None:
    assert resolve("@now @later", simple(now="1"), later=["later"]) == Resolved("1 @later", ("now",), ())


@given(texts, st.dictionaries(st.sampled_from(["a", "b", "ab"]), texts))
def test_any_template_comes_to_an_end(template: str, contents: dict[str, str]) -> None:
    assert isinstance(resolve(template, simple(**contents)).text, str)


@pytest.mark.capability("C199")
def test_a_large_variable_is_written_once_however_often_it_is_named() -> None:
    class Counted(list[int]):
        written = 0

        def __iter__(self) -> Iterator[int]:
            Counted.written += 1
            return super().__iter__()

    content = "${data}" * 14_000
    resolved = resolve("@m", {"m": Piece(content, {"data": Counted(range(15_000))})})
    assert Counted.written <= 1
    assert len(resolved.text) <= LARGEST_TEXT
    assert "too_large" in {kind for _, kind in kinds(resolved)}


def test_a_template_is_told_what_is_wrong_with_it() -> None:
    assert warnings_of("@mood, @mood and @tone; a@b and @3d", {"tone"}) == [
        "the template refers to @mood: there is no active module mood",
        "@3d in the template cannot be a module's name",
    ]


def test_a_template_is_valid_when_all_that_it_names_is_there() -> None:
    assert examine("Hello @clock", {"clock", "mood"}) == (True, ["clock"], ["clock"], [], [], 1)
    assert examine("@clock @mood @9", {"mood"}) == (False, ["clock", "mood"], ["mood"], ["clock"], ["9"], 1)
