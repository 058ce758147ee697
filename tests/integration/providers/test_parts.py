"""Long PDFs in parts: read together, and the same as the whole."""

import threading

import pytest

from shared.errors import Invalid, Transient
from shared.providers import parts
from shared.providers.parser import FakeParser, KreuzbergParser, Parsed
from shared.providers.parts import PartedParser
from shared.providers.sniff import PDF, PLAIN
from tests.fakes.documents import pdf

PAGES = [f"Page {number} tells of the light on the rock." for number in range(1, 8)]
LONG = pdf(PAGES, title="The log", author="Ann")
WHOLE = KreuzbergParser()


def parser(**values) -> PartedParser:
    return PartedParser(WHOLE, **{"pages": 3, "at_once": 2} | values)


def never(part: bytes) -> Parsed:
    raise AssertionError("it was cut")


@pytest.mark.capability("C135")
def test_a_long_pdf_in_parts_is_the_same_as_the_whole() -> None:
    assert parser().parse(LONG, PDF) == WHOLE.parse(LONG, PDF)


@pytest.mark.capability("C135")
def test_parts_are_read_together() -> None:
    both = threading.Barrier(2)

    def read(part: bytes) -> Parsed:
        both.wait(10)
        return WHOLE.read(part, PDF)

    assert parser(pages=4, read_part=read).parse(LONG, PDF) == WHOLE.parse(LONG, PDF)


def test_a_part_without_text_is_a_part_like_another() -> None:
    half_a_scan = pdf([*PAGES[:3], "", "", "", "The end."])
    assert parser().parse(half_a_scan, PDF) == WHOLE.parse(half_a_scan, PDF)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(pdf([""] * 7), "no text", id="without text"),
        pytest.param(LONG[:-10], "cut off", id="cut off"),
        pytest.param(LONG.replace(b"/Pages", b"/Pigs "), "damaged", id="damaged"),
    ],
)
def test_what_cannot_be_read_whole_cannot_be_read_in_parts(data: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parser().parse(data, PDF)


@pytest.mark.parametrize(("data", "kind"), [(pdf(PAGES[:3]), PDF), ("Ț\fall".encode(), PLAIN)])
def test_a_short_or_another_document_is_read_whole(data: bytes, kind: str) -> None:
    whole = FakeParser()
    PartedParser(whole, pages=3, at_once=2, read_part=never).parse(data, kind)
    assert whole.calls == 1


def test_a_part_whose_process_is_ended_may_be_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LONGEST_SECONDS", 0.001)
    with pytest.raises(Transient):
        parts.read_apart(LONG)
