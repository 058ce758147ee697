"""Long PDFs in parts: read together, and the same as the whole."""

import io
import random
import threading
from collections.abc import Iterator

import pytest
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from services import leases
from services.ingestion import tasks
from services.leases import Held
from shared.errors import Invalid, Transient
from shared.models import RunStep
from shared.providers.parsing import parts
from shared.providers.parsing.parser import FakeParser, KreuzbergParser, Parsed
from shared.providers.parsing.parts import PartedParser
from shared.providers.parsing.sniff import PDF, PLAIN
from shared.queries.work.engine import Claim
from shared.settings import Settings
from tests.fakes.documents import pdf

PAGES = [f"Page {number} tells of the light on the rock." for number in range(1, 8)]
LONG = pdf(PAGES, title="The log", author="Ann")
WHOLE = KreuzbergParser()


def parser(whole=WHOLE, **values) -> PartedParser:
    return PartedParser(whole, **{"pages": 3, "at_once": 2, "listener": lambda: unheard} | values)


def unheard(close) -> None: ...


def never(*_) -> Parsed:
    raise AssertionError("it was cut")


@pytest.mark.capability("C135")
def test_a_long_pdf_in_parts_is_the_same_as_the_whole() -> None:
    assert parser().parse(LONG, PDF) == WHOLE.parse(LONG, PDF)


@pytest.mark.capability("C135")
def test_parts_are_read_together() -> None:
    both = threading.Barrier(2)

    def read(part: bytes, _) -> Parsed:
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
    parser(whole, read_part=never).parse(data, kind)
    assert whole.calls == 1


def test_a_part_whose_process_is_ended_may_be_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LONGEST_SECONDS", 0.001)
    with pytest.raises(Transient):
        parts.read_apart(LONG, unheard)


def encrypted(password: str) -> bytes:
    writer, out = PdfWriter(io.BytesIO(LONG)), io.BytesIO()
    writer.encrypt(password, "of the owner", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def test_an_encrypted_pdf_is_read_as_its_whole_is() -> None:
    assert parser().parse(encrypted(""), PDF) == WHOLE.parse(encrypted(""), PDF)
    with pytest.raises(Invalid, match="encrypted"):
        parser().parse(encrypted("secret"), PDF)


def test_what_the_cutter_refuses_and_the_parser_reads_is_read_whole() -> None:
    data = LONG.replace(b"/Info", b"/Encrypt 5 0 R /Info")  # which is no dictionary
    assert parser(read_part=never).parse(data, PDF) == WHOLE.parse(data, PDF)


def test_pages_that_share_what_is_large_are_not_cut() -> None:
    writer, out = PdfWriter(io.BytesIO(LONG)), io.BytesIO()
    shared = writer._add_object(large_stream())  # the library has no other way
    for page in writer.pages:
        page["/Resources"][NameObject("/XObject")] = DictionaryObject({NameObject("/Im1"): shared})
    writer.write(out)
    data = out.getvalue()
    assert parser(pages=1, read_part=never).parse(data, PDF) == WHOLE.parse(data, PDF)


def large_stream() -> StreamObject:
    stream = StreamObject()
    stream[NameObject("/Type")] = NameObject("/XObject")
    stream.set_data(random.Random(7).randbytes(100_000))
    return stream


def test_no_more_parts_exist_than_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended, most = [], [], []

    class Counted(PdfWriter):
        def __init__(self) -> None:
            begun.append(1)
            super().__init__()

    def read(part: bytes, _) -> Parsed:
        most.append(len(begun) - len(ended))
        parsed = WHOLE.read(part, PDF)
        ended.append(1)
        return parsed

    monkeypatch.setattr(parts, "PdfWriter", Counted)
    parser(pages=1, read_part=read).parse(LONG, PDF)
    assert len(begun) == len(PAGES)
    assert max(most) <= 2


def test_the_processes_that_read_parts_end_when_the_work_is_told_to_stop() -> None:
    told_at_once = parser(listener=lambda: lambda close: close())
    with pytest.raises(Transient, match="was ended"):
        told_at_once.parse(LONG, PDF)


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This thread works on a row that was cancelled."""
    monkeypatch.setattr(tasks, "get_settings", lambda: Settings(_env_file=None, parse_split_pages=3))
    tasks.tools.cache_clear()
    held = Held(Claim(RunStep, 1, 1, 0, 3, 0, {}, False), "ingestion", max_runtime=60)
    held.stop("cancel")
    leases.working_on(held)
    yield
    leases.working_on(None)
    tasks.tools.cache_clear()


@pytest.mark.usefixtures("cancelled")
def test_a_cancelled_step_has_no_part_read_to_its_end() -> None:
    with pytest.raises(Transient, match="was ended"):
        tasks.tools().parser.parse(LONG, PDF)
