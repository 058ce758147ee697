"""Questions and passages are read as the same words."""

import pytest

from shared.domain.lexemes import LONGEST, as_vector, lexemes, sought


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('"ERR-4711".', {"err-4711", "err4711", "err", "4711"}, id="a code"),
        pytest.param("v2.14.3", {"v2.14.3", "2.14.3", "v2", "14", "3"}, id="a version"),
        pytest.param("(config.yaml)", {"config.yaml", "config", "yaml"}, id="a file"),
        pytest.param("at -40, or", {"at", "-40", "40", "or"}, id="a signed number"),
        pytest.param("AB-12/C", {"ab-12/c", "ab-12", "ab", "12", "c"}, id="a part's number"),
        pytest.param("O'Brien e.g. C++", {"o", "brien", "e.g", "e", "g", "c++", "c"}, id="marks within words"),
        pytest.param("灯台の", {"灯", "台", "の", "灯台", "台の"}, id="Japanese"),
        pytest.param(
            "番号KX-142は", {"番", "号", "番号", "kx-142", "kx142", "kx", "142", "は"}, id="a code in Japanese"
        ),
        pytest.param("हिन्दी", {"हिन्दी"}, id="vowel signs do not cut a word"),
        pytest.param("-- ... ?!", set(), id="no words"),
    ],
)
def test_a_text_is_found_whole_and_in_parts(text: str, found: set[str]):
    assert set(lexemes(text)) == found


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("lamp.conf", "Edit /usr/local/etc/lamp.conf first."),
        ("www.harbour.example", "See https://www.harbour.example/tides?y=1."),
        ("example.org", "Write to keeper@example.org."),
        ("report_final.pdf", "It is in C:\\files\\report_final.pdf."),
        ("灯台", "古い灯台の光"),
        ("등대", "오래된 등대는"),
        ("seamanship", "sea\u200bman\u00adship"),
        ("ERR\u20114711", "ERR-4711: no oil"),
    ],
)
def test_all_that_a_question_seeks_is_in_a_text_that_holds_it(question: str, text: str):
    assert {each.lexeme for each in sought(question)} <= set(lexemes(text))


def test_words_of_grammar_are_sought_only_alone():
    assert [each.lexeme for each in sought("What is the bell?")] == ["bell"]
    assert [each.lexeme for each in sought("Who are you?")] == ["who", "are", "you"]


def test_what_tends_to_be_rare_is_sought_first():
    assert [each.lexeme for each in sought("old lighthouses of 1890 and ERR-4711")] == [
        "err-4711",
        "err4711",
        "1890",
        "4711",
        "lighthouses",
        "old",
        "err",
    ]


@pytest.mark.parametrize(
    ("question", "surest"),
    [
        ("What does ERR-4711 mean?", ["err-4711"]),
        ("keeper@example.org or 2.14.3", ["keeper@example.org", "2.14.3"]),
        ("a well-known and/or old bell, e.g. ours", []),
    ],
)
def test_codes_names_and_addresses_are_surely_meant(question: str, surest: list[str]):
    assert [each.lexeme for each in sought(question) if each.surety == 2] == surest


def test_a_long_word_counts_by_its_beginning_in_question_and_passage():
    assert lexemes("x" * 9999) == [each.lexeme for each in sought("x" * 9999)] == ["x" * LONGEST]


def test_a_vector_is_written_as_postgres_reads_it():
    assert as_vector("Bell", "C:\\a") == "'bell':1A 'c:\\\\a' 'c' 'a'"
