"""Messages as they were mailed, in the encodings of their parts."""

from email.message import EmailMessage

import pytest

from shared.errors import Invalid
from shared.providers.mail import read
from shared.providers.parser import KreuzbergParser
from shared.providers.sniff import EML, PLAIN, sniff
from tests.fakes.documents import epub


def text_of(data: bytes, name: str) -> str:
    if name == "scan.pdf":
        raise Invalid("there is no text in it")
    return f"[{name} {data.decode()}]"


def message(subject: str = "The bell — țară") -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = subject
    made["From"] = "Ana Țiu <ana@example.org>"
    made.set_content("Plain țară.\nSecond line.")
    return made


def raw(headers: str, body: bytes) -> bytes:
    return f"Subject: x\nMIME-Version: 1.0\n{headers}\n\n".encode() + body


def test_a_message_tells_who_wrote_what() -> None:
    letter = read(message().as_bytes(), text_of)
    assert (letter.subject, letter.sender, letter.warnings) == ("The bell — țară", "Ana Țiu", [])
    assert letter.text == ("# The bell — țară\n\nFrom: Ana Țiu <ana@example.org>\n\nPlain țară.\nSecond line.")


def test_the_plain_form_of_a_text_is_taken_once() -> None:
    both = message()
    both.add_alternative("<p>Plain țară. Second line.</p>", subtype="html")
    assert "page.html" not in read(both.as_bytes(), text_of).text


def test_a_page_is_taken_where_the_plain_form_only_speaks_of_it() -> None:
    both = message()
    both.set_content("See the page.")
    both.add_alternative(f"<p>{'long ' * 40}</p>", subtype="html")
    text = read(both.as_bytes(), text_of).text
    assert "[page.html <p>long long" in text
    assert "See the page" not in text


def test_what_came_with_it_is_read_or_told() -> None:
    outer = message("Fwd")
    outer.add_attachment(message("Inner"))
    outer.add_attachment("noted țară", filename="notă.txt")
    outer.add_attachment(b"x", maintype="application", subtype="pdf", filename="scan.pdf")
    letter = read(outer.as_bytes(), text_of)
    assert "# Inner" in letter.text
    assert letter.text.count("Second line.") == 2
    assert "## notă.txt\n\nnoted țară" in letter.text
    assert letter.warnings == ["scan.pdf was not read: there is no text in it"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(
            raw("Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: 8bit", "Маяк".encode("koi8-r")),
            "Маяк",
            id="declared",
        ),
        pytest.param(raw("Content-Transfer-Encoding: 8bit", "près de là".encode("cp1252")), "près de là", id="not"),
        pytest.param(
            raw("Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: quoted-printable", b"caf=E9"),
            "café",
            id="quoted",
        ),
        pytest.param(raw("Content-Type: text/plain; charset=nonsense", b"plain"), "plain", id="unknown charset"),
    ],
)
def test_each_part_has_its_encoding(data: bytes, text: str) -> None:
    assert read(data, text_of).text.endswith(text)


def test_a_header_may_be_encoded_or_raw() -> None:
    encoded = b"Subject: =?iso-8859-1?Q?caf=E9?= =?utf-8?B?yJthcsSD?=\n\nx"
    assert read(encoded, text_of).subject == "caféțară"
    assert read("Subject: țară\n\nx".encode(), text_of).subject == "țară"
    assert read(b"Subject: =?x?Q?a?= =?utf-8?B?!?=\n\nx", text_of).text.endswith("x")


def test_parts_within_parts_without_end_are_no_message_or_read() -> None:
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (i, i) for i in range(3000))
    with pytest.raises(Invalid, match="damaged"):
        read(nested, text_of)


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"Subject: x\n\ny", "a.eml", EML),
        (b"From ana Mon Jan 1\nSubject: x\n\ny", "a.EML", EML),
        (b"Subject: x\n\ny", "a.txt", PLAIN),
        (b"no message", "a.eml", PLAIN),
    ],
)
def test_a_message_is_known_by_its_name_and_its_headers(data: bytes, name: str, kind: str) -> None:
    assert sniff(data, name) == kind


def test_what_is_lost_of_an_attachment_and_of_many_is_told() -> None:
    listed = '<manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine>'
    book = epub({"a.xhtml": "<html><body><p>Here.</p></body></html>"}, opf=f"<package>{listed}</package>")
    outer = message()
    outer.add_attachment(book, maintype="application", subtype="epub+zip", filename="a.epub")
    parsed = KreuzbergParser().parse(outer.as_bytes(), EML)
    assert "Here." in parsed.text
    assert list(parsed.warnings) == ["a.epub: the chapter b is missing in the file"]


def test_a_subject_holds_nothing_that_cannot_be_stored() -> None:
    data = b"Subject: a\0b\x01c\nFrom: A\0na <ana@example.org>\n\nText."
    parsed = KreuzbergParser().parse(data, EML)
    assert (parsed.title, parsed.author) == ("abc", "Ana")


@pytest.mark.parametrize("value", [b"a \xa1\xa2\xff b", b"=?no-such-code?q?a_=ff_b?=", b"=?utf-8?b?x?= \xff"])
@pytest.mark.parametrize("name", ["Subject", "From", "Cc"])
def test_a_header_that_cannot_be_read_is_told_once(name: str, value: bytes) -> None:
    letter = read(name.encode() + b": " + value + b"\n\nText.", text_of)
    assert letter.warnings == [f"not all letters of '{name}' were read: its encoding is not known"]


def test_a_table_that_came_with_a_message_is_one() -> None:
    head = b"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n"
    part = b'Content-Type: text/csv; charset=windows-1252; name="werte.csv"\n\n' + "Spalte;Wert\nÖl;17\n".encode(
        "cp1252"
    )
    parsed = KreuzbergParser().parse(head + part + b"--B--\n", EML)
    assert "| Spalte | Wert |\n| --- | --- |\n| Öl | 17 |" in parsed.text
    assert not parsed.warnings
