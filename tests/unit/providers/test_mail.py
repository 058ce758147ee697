"""Messages as they were mailed, in the encodings of their parts."""

import base64
from email.message import EmailMessage

import pytest

from shared.errors import Invalid, Refused
from shared.providers.formats.mail import read
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import EML, PLAIN, sniff
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
    assert "Plain țară.\nSecond line." in read(both.as_bytes(), lambda page, name: "Plain țară. Second line.").text


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


def parsed(data: bytes, name: str = "a.eml") -> Parsed:
    assert sniff(data, name) == EML
    return KreuzbergParser().parse(data, EML)


def of_forms(plain: str, page: str) -> str:
    return in_forms(plain, page).text


def in_forms(plain: str, page: str) -> Parsed:
    both = EmailMessage()
    both.set_content(plain)
    both.add_alternative(page, subtype="html")
    return parsed(b"From: a@b.c\n" + both.as_bytes())


@pytest.mark.parametrize(
    "stub",
    [
        "Your e-mail client does not support HTML.",
        "Bitte sehen Sie sich die HTML-Version an.",
        "See the web version.",
        "",
        " \n ",
        "Your order is on its way.",
    ],
)
def test_a_page_is_read_where_the_plain_form_lacks_its_words(stub: str) -> None:
    assert "Your order TRK-55-0917 arrives" in of_forms(stub, "<p>Your order <b>TRK-55-0917</b> arrives on Friday.</p>")


def test_both_forms_are_read_where_each_says_something_of_its_own() -> None:
    plain = "The key of depot 7 is with Ms Low. My phone is 0047 555 0182, call me before the ferry leaves."
    text = of_forms(plain, "<p>The key of depot 7 is with Ms Low.</p><table><tr><td>Floor</td><td>-3</td></tr></table>")
    assert "0047 555 0182" in text
    assert "Floor" in text


def test_a_number_that_only_the_page_tells_is_read() -> None:
    words = (
        "The ferry to the island leaves from the northern pier of the old harbour every evening at the same time. " * 3
    )
    assert "4711" in of_forms(words, f"<p>{words}</p><p>4711</p>")


def test_a_message_within_one_is_read_however_it_was_sent() -> None:
    inner = base64.encodebytes(b"Subject: Inner\nFrom: b@c.d\n\nThe guard is Ottokar.\n")
    data = raw("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", inner)
    assert parsed(data).text.endswith("# Inner\n\nFrom: b@c.d\n\nThe guard is Ottokar.")


def test_a_report_tells_what_it_says_in_headers() -> None:
    report = b"Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; b@c.d\nStatus: 5.1.1\n"
    text = parsed(raw("Content-Type: message/delivery-status", report)).text
    assert "Final-Recipient: rfc822; b@c.d\nStatus: 5.1.1" in text


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param("", b"Caf=C3=A9 at the =\nharbour, =C3=A0 demain.", id="no word of quoted-printable"),
        pytest.param(
            "Content-Transfer-Encoding: 7bit",
            base64.encodebytes(("Café at the harbour, à demain. " * 4).encode()),
            id="base64 called 7bit",
        ),
        pytest.param(
            "Content-Transfer-Encoding: base64", "Café at the harbour, à demain.".encode(), id="text called base64"
        ),
        pytest.param(
            "Content-Type: text/plain; charset=us-ascii",
            "Café at the harbour, à demain.".encode(),
            id="a wrong charset",
        ),
    ],
)
def test_a_text_is_read_although_its_headers_are_wrong(headers: str, body: bytes) -> None:
    data = f"Subject: x\n{headers}".strip().encode() + b"\n\n" + body
    assert "Café at the harbour, à demain." in parsed(data).text


@pytest.mark.parametrize("text", [b"a = b\n=====\nx=3D", b"url?x=20&y=30", b"YWJj", b"one=two"])
def test_a_text_that_only_looks_encoded_stays_as_it_is(text: bytes) -> None:
    assert parsed(b"Subject: x\n\n" + text).text == f"# x\n\n{text.decode()}"


def test_letters_that_nobody_knows_are_told_and_the_rest_is_read() -> None:
    letter = parsed(b"Subject: x\n\nThe ferry leaves at 7, \x81\x8d\xfe.")
    assert "The ferry leaves at 7" in letter.text
    assert letter.warnings == ["not all letters of the text were read: its encoding is not known"]


def test_what_came_with_it_and_is_not_read_is_named() -> None:
    outer = message()
    outer.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="plan.png")
    outer.add_attachment(b"", maintype="application", subtype="pdf", filename="empty.pdf")
    outer.add_attachment("Ort;Öl\nBrey;17\n".encode("cp1252"), maintype="text", subtype="csv", filename="oil.csv")
    letter = parsed(outer.as_bytes())
    assert letter.warnings[:2] == ["plan.png was not read: this is an image", "empty.pdf was not read: it is empty"]
    assert [warning.partition(":")[0] for warning in letter.warnings[2:]] == [
        "oil.csv"
    ]  # whose encoding few letters tell
    assert "| Brey | 17 |" in letter.text


def test_lines_that_were_broken_for_sending_are_joined() -> None:
    flowed = raw(
        "Content-Type: text/plain; format=flowed", b"The tower has two \nhundred steps.\n> one \n> two\n-- \nAna"
    )
    assert parsed(flowed).text == "# x\n\nThe tower has two hundred steps.\n> one two\n-- \nAna"


def test_a_message_of_outlook_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"save it as \.eml"):
        sniff(b"\xd0\xcf\x11\xe0\xa1\xb1", "a.msg")


def test_an_invitation_is_read_once_and_with_its_dates() -> None:
    both = EmailMessage()
    both.set_content("Regatta at the pier, bring oars.")
    both.add_alternative("<p>Regatta at the pier, bring <b>oars</b>.</p>", subtype="html")
    both.add_alternative(
        "BEGIN:VCALENDAR\nSUMMARY:Regatta\nDTSTART:20330605T100000Z\nEND:VCALENDAR", subtype="calendar"
    )
    text = parsed(b"From: a@b.c\n" + both.as_bytes()).text
    assert text.count("bring oars") == 1
    assert "20330605T100000Z" in text


def test_what_follows_the_parts_is_read() -> None:
    data = raw("Content-Type: multipart/mixed; boundary=B", b"--B\n\nbody\n--B--\nCaf\xc3\xa9 list, leave here.\n")
    assert parsed(data).text == "# x\n\nbody\n\nCaf\u00e9 list, leave here."


def test_a_table_that_came_with_a_message_is_one() -> None:
    head = b"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n"
    part = b'Content-Type: text/csv; charset=windows-1252; name="werte.csv"\n\n' + "Spalte;Wert\nÖl;17\n".encode(
        "cp1252"
    )
    parsed = KreuzbergParser().parse(head + part + b"--B--\n", EML)
    assert "| Spalte | Wert |\n| --- | --- |\n| Öl | 17 |" in parsed.text
    assert not parsed.warnings
