"""Names and kinds of files."""

import pytest

from shared.domain.files import plain_name, refusal, settled_kind, title_of
from shared.domain.persona import CollectionType


@pytest.mark.capability("C87")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x.txt", "x.txt"),
        ("../../x.txt", "x.txt"),
        ("/etc/x.txt", "x.txt"),
        ("C:\\temp\\x.txt", "x.txt"),
        ("x/", "file"),
        ("..", "file"),
        ("", "file"),
        ("  ", "file"),
        ("a\0b\n\u202e.txt", "ab.txt"),
        ("\ud800.txt", ".txt"),
        ("poeți.txt", "poeți.txt"),
        ("ș" * 300 + ".txt", "ș" * 251 + ".txt"),
    ],
)
def test_a_name_keeps_no_folder_and_no_control_character(given: str, kept: str) -> None:
    assert plain_name(given) == kept


def test_a_collection_takes_its_kinds_only() -> None:
    assert refusal(CollectionType.WORKS, "application/pdf") is None
    assert refusal(CollectionType.QUOTES, "application/jsonl") is None
    assert "jsonl" in (refusal(CollectionType.QUOTES, "application/pdf") or "")


@pytest.mark.parametrize(
    ("sniffed", "given", "settled"),
    [
        ("application/pdf", None, "application/pdf"),
        ("text/plain", "text/markdown", "text/markdown"),
        ("text/plain", "application/pdf", None),
        ("application/pdf", "text/plain", None),
        ("text/csv", "text/tab-separated-values", "text/csv"),
    ],
)
def test_the_content_decides_and_the_sender_tells_texts_apart(sniffed: str, given: str | None, settled: str) -> None:
    assert settled_kind(sniffed, given) == settled


@pytest.mark.parametrize(
    "said", [None, "", " ", "untitled", "Untitled-1", "(Untitled Document)", "Document1", "...", "None"]
)
def test_a_document_without_a_title_is_called_by_its_file(said: str | None) -> None:
    assert title_of(said, "log.pdf") == "log.pdf"


@pytest.mark.parametrize(
    "said", ["The Log", "Unknown Pleasures", "Untitled, a life", "Documents of 1931", "1984 a log"]
)
def test_a_title_is_what_a_document_is_called(said: str) -> None:
    assert title_of(said, "log.pdf") == said
