"""Text as it is searched and recognised again."""

import pytest

from shared.domain.text import MOST_MARKS, content_hash, fold, keywords, normalised


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        pytest.param("Poeţi și ȚĂRI", "poeti si tari", id="Romanian, cedilla and comma"),
        pytest.param("ÎNĂLȚÂND", "inaltand", id="capitals"),
        pytest.param("s\u0326i", "si", id="decomposed"),
        pytest.param("Łódź Ødegård Straße", "lodz odegard strasse", id="letters that do not decompose"),
        pytest.param("sea\u200bman\u00adship of Ag\u2060nes\ufeff", "seamanship of agnes", id="what is not seen"),
        pytest.param("re\u2011entry at \u221240", "re-entry at -40", id="hyphens and minus signs"),
        pytest.param("हिन्दी", "हिन्दी", id="vowel signs of another script stay"),
        pytest.param("한국", "한국", id="syllables stay whole"),
    ],
)
def test_case_and_diacritics_do_not_count_in_search(text: str, folded: str):
    assert fold(text) == folded


def test_the_same_text_in_other_spacing_has_the_same_hash():
    assert content_hash("două\n vorbe ") == content_hash("doua\u0306 vorbe")


def test_what_is_not_seen_makes_no_other_text():
    assert content_hash("\ufeffsea\u200bman\u00adship") == content_hash("seamanship")


def test_diacritics_make_another_text():
    assert content_hash("peste") != content_hash("pește")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        pytest.param("What replaced the bell in 1890?", ["replaced", "bell", "1890"], id="English"),
        pytest.param("Ce a găsit Matei în mecanism?", ["gasit", "matei", "mecanism"], id="Romanian"),
        pytest.param("Who are you?", ["who", "are", "you"], id="nothing but grammar"),
        pytest.param("bell, Bell & BELL", ["bell"], id="each once"),
        pytest.param("?!", [], id="no words"),
    ],
)
def test_keywords(question: str, found: list[str]) -> None:
    assert keywords(question) == found


def test_marks_piled_on_a_letter_are_put_in_order_up_to_the_32nd() -> None:
    piled = "x" + "\u0315\u0300\u05ae" * 100
    assert len(normalised("NFC", piled)) == 1 + MOST_MARKS
    assert normalised("NFC", "a\u0306ă\u0323") == "ăặ"
    assert content_hash(piled) == content_hash(piled + "\u0300")
