"""A document is read in a process that the kernel bounds."""

import io
import os
import zlib
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject

from shared.errors import Invalid, Transient
from shared.providers.parsing.apart import ApartParser
from shared.providers.parsing.limits import Limits
from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import MARKDOWN, PDF
from tests.fakes.documents import pdf

LONG = pdf([f"Page {number} tells of the light on the rock." for number in range(1, 8)], title="The log", author="Ann")


def apart(**values) -> ApartParser:
    return ApartParser(Limits(**values), lambda: lambda close: None)


def raw_pdf(*objects: bytes) -> bytes:
    """Write a PDF of these objects, numbered from 1; the first is the catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def one_page_many_times(times: int) -> bytes:
    kids = b"3 0 R " * times
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (times, kids),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length 29>>stream\nBT /F 9 Tf (light) Tj ET      \nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def bomb(megabytes: int) -> bytes:
    stream = zlib.compress(b"BT /F 9 Tf (x) Tj ET\n" * (megabytes * 50_000), 9)
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def nested(depth: int) -> bytes:
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R/X " + b"<</A " * depth + b">>" * depth + b">>", b"<</Type/Pages>>")


@pytest.mark.capability("C199")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(one_page_many_times(200_000), id="a page referred to 200,000 times"),
        pytest.param(bomb(200), id="a page of 200 MB"),
        pytest.param(nested(50_000), id="dictionaries in dictionaries"),
    ],
)
def test_a_hostile_file_costs_its_own_failure_alone(data: bytes) -> None:
    parser = apart(cpu_seconds=3, wall_seconds=30, megabytes=1024)
    with pytest.raises(Invalid):
        parser.parse(data, PDF)
    assert parser.parse(b"# The next\n\nfile is read.", MARKDOWN).text == "# The next\n\nfile is read."


@pytest.mark.capability("C135")
def test_what_is_read_apart_is_the_same() -> None:
    assert apart(part_pages=3).parse(LONG, PDF) == KreuzbergParser().parse(LONG, PDF)


def test_one_process_reads_one_document_after_the_other() -> None:
    parser = apart()
    parser.parse(b"one", MARKDOWN)
    first = parser._warm()
    parser.parse(b"two", MARKDOWN)
    assert parser._warm() is first


def test_a_document_that_takes_too_long_is_told_so() -> None:
    with pytest.raises(Invalid, match=r"took more than 0\.2 s to read"):
        apart(wall_seconds=0.2).parse(one_page_many_times(200_000), PDF)


def test_a_document_of_too_much_text_is_told_so() -> None:
    with pytest.raises(Invalid, match="more than 10 characters"):
        apart(characters=10).parse(b"more than ten of them", MARKDOWN)


def test_a_reader_that_is_ended_may_read_later() -> None:
    with pytest.raises(Transient, match="was ended"):
        ApartParser(Limits(), lambda: lambda close: close()).parse(LONG, PDF)


def test_the_process_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONAE_CHAT_API_KEY", "sk-secret")
    parser = apart()
    parser.parse(b"one", MARKDOWN)
    with open(f"/proc/{parser._warm()._process.pid}/environ", "rb") as environment:
        assert b"sk-secret" not in environment.read()
    assert os.environ["PERSONAE_CHAT_API_KEY"] == "sk-secret"


def test_a_parser_that_does_not_start_is_no_fault_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kreuzberg-pdfium").touch()  # where the library would unpack a part of itself
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    parser = ApartParser(Limits(part_pages=2), lambda: lambda close: None)
    for data in (pdf(["One."]), pdf(["One.", "Two.", "Three."])):
        with pytest.raises(Transient, match=r"the parser does not start: .*TMPDIR"):
            parser.parse(data, PDF)
    (tmp_path / "kreuzberg-pdfium").unlink()
    assert parser.parse(pdf(["One."]), PDF).text == "One."


def test_a_form_behind_a_cipher_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, out = PdfWriter(io.BytesIO(pdf(["One."]))), io.BytesIO()
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject()
    writer.encrypt("", "of the owner", algorithm="AES-256")
    writer.write(out)
    (tmp_path / "cryptography.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    parsed = ApartParser(Limits(), lambda: lambda close: None).parse(out.getvalue(), PDF)
    assert parsed.text == "One."
    assert "encrypted" in parsed.warnings[0]


def test_a_text_whose_encoding_shows_late_fails_with_the_reason() -> None:
    late = b"Plain. " * 40_000 + "\nprès de là".encode("cp850") * 3
    with pytest.raises(Invalid, match="save it as UTF-8"):
        apart().parse(late, MARKDOWN)
