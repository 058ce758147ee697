"""Of the forms in which a message says a text, none is lost that says words of its own, or it is told."""

import pytest

from tests.unit.providers.test_mail import in_forms

KEYS = "The keys of the boat house hang behind the red door, and Ottokar has the second pair until the regatta is over."
PAGE = f"<p>{'The programme of the regatta, with all of the boats. ' * 5}</p>"


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(f"{KEYS} The HTML export of the list follows.", id="a format"),
        pytest.param(f"{KEYS} It crashed my browser.", id="a browser"),
        pytest.param(f"View it in your browser. {KEYS}", id="a hint in front"),
        pytest.param("Open the HTML version, or call 0047 555 0182.", id="a number"),
    ],
)
def test_a_plain_form_that_says_words_of_its_own_is_read_although_it_names_the_page(plain: str) -> None:
    letter = in_forms(plain, PAGE)
    assert plain in letter.text
    assert "The programme" in letter.text
    assert letter.warnings == []


@pytest.mark.parametrize(
    "plain",
    [
        "Your e-mail client does not show HTML.",
        "View it in your browser: https://example.org/m/4711",
        "Ask Ottokar for the keys.",
    ],
)
def test_what_is_left_out_of_several_forms_is_told(plain: str) -> None:
    letter = in_forms(plain, PAGE)
    assert plain not in letter.text
    assert letter.warnings == [f"another form of the text was left out, which says: {plain}"]


def test_a_form_that_says_the_same_is_left_out_in_silence() -> None:
    letter = in_forms(KEYS, f"<p>{KEYS}</p>")
    assert letter.text.count("Ottokar") == 1
    assert letter.warnings == []
