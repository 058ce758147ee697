"""Pages saved as messages, and files of many messages."""

import base64

import pytest

from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import EML, sniff


def parsed(data: bytes, name: str) -> Parsed:
    assert sniff(data, name) == EML
    return KreuzbergParser().parse(data, EML)


PAGE = (
    b"From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\nSubject: Mill page\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/related; type="text/html"; boundary="BB"\r\n\r\n--BB\r\n'
    b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<html><head><title>Mill page</title></head><body><p>The cock of Sk=C3=A5bu is gilded.</p></body></html>\r\n"
    b"--BB\r\nContent-Type: text/css\r\n\r\np{color:red}\r\n--BB\r\nContent-Type: image/png\r\n"
    b"Content-Location: https://example.org/a.png\r\n\r\nx\r\n--BB--\r\n"
)


@pytest.mark.parametrize("name", ["a.mht", "a.mhtml", "a.MHT", "a", "a.txt"])
@pytest.mark.parametrize(
    "data", [PAGE, PAGE.replace(b"<Saved by Blink>", b'"Saved by a browser"').replace(b"Snap", b"X")]
)
def test_a_saved_page_is_read_as_a_page(name: str, data: bytes) -> None:
    page = parsed(data, name)
    assert (page.text, page.title, page.author, page.warnings) == (
        "The cock of Skåbu is gilded.",
        "Mill page",
        None,
        [],
    )


def test_a_page_may_be_saved_in_one_part() -> None:
    head = b"From: Saved by a browser\nSubject: =?cp1252?Q?M=FChle?=\nMIME-Version: 1.0\nContent-Type: text/html"
    page = parsed(head + b"; charset=cp1252\nContent-Transfer-Encoding: quoted-printable\n\n<p>M=FChle</p>", "a.mht")
    assert (page.text, page.title) == ("M\u00fchle", "M\u00fchle")


@pytest.mark.parametrize("sender", ["Ana Low", "Ana Low <ana@example.org>", "=?utf-8?Q?Ana_Low?="])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", "<p>The key is with Ottokar.</p>"),
        (
            'multipart/related; boundary="B"',
            "--B\nContent-Type: text/html\n\n<p>The key is with Ottokar.</p>\n--B\nContent-Type: image/gif\n"
            "Content-Location: a.gif\n\nGIF89a\n--B--\n",
        ),
    ],
)
def test_a_draft_that_names_nobody_is_no_page(sender: str, kind: str, body: str) -> None:
    head = f"From: {sender}\nDate: Mon, 1 Mar 2032 10:00:00 +0000\nSubject: Key\nContent-Type: {kind}\n\n"
    text = parsed((head + body).encode(), "a.eml").text
    told = sender.replace("=?utf-8?Q?Ana_Low?=", "Ana Low")
    assert text.startswith(f"# Key\n\nFrom: {told}\nDate: Mon, 1 Mar 2032 10:00:00 +0000\n\nThe key")


@pytest.mark.parametrize("sender", ["", "From: Gespeichert von einem Browser\n"])
def test_a_page_is_known_by_the_place_that_it_was_saved_from(sender: str) -> None:
    head = f'{sender}Subject: Mill\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary="B"\n\n--B\n'
    body = "Content-Location: file:///C:/a.htm\nContent-Type: text/html\n\n<p>The cock.</p>\n--B--\n"
    assert parsed((head + body).encode(), "a.mht").text == "The cock."


MAILBOX = (
    b"From a@b.c Mon Jan  1 00:00:00 2030\nFrom: a@b.c\nSubject: first\n\nThe anvil weighs ninety.\n>From here on.\n\n"
    b"From now on, no hammer.\n\n"
    b"From d@e.f Tue Jan  2 00:00:00 2030\nFrom: d@e.f\nSubject: second\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(b"The hammer is Oluf's.")
)


@pytest.mark.parametrize("name", ["a.mbox", "a", "a.txt"])
def test_a_file_of_messages_is_read_message_by_message(name: str) -> None:
    first, second = parsed(MAILBOX, name).text.split("\n\n# second\n\n")
    assert first == "# first\n\nFrom: a@b.c\n\nThe anvil weighs ninety.\nFrom here on.\n\nFrom now on, no hammer."
    assert second == "From: d@e.f\n\nThe hammer is Oluf's."


def test_what_is_lost_of_one_of_many_messages_is_told_with_its_number() -> None:
    data = MAILBOX + b"\nFrom x Wed Jan 3 00:00:00 2030\nContent-Type: image/png; name=a.png\n\n\x89PNG\n"
    assert parsed(data, "a.mbox").warnings == ["message 3: a.png was not read: this is an image"]


def test_a_message_kept_with_its_length_is_read() -> None:
    inner = b"Subject: x\nFrom: a@b.c\n\nThe anvil."
    data = str(len(inner)).encode() + b"  \n" + inner + b"<?xml version='1.0'?><plist/>"
    assert parsed(data, "a.emlx").text == "# x\n\nFrom: a@b.c\n\nThe anvil."


@pytest.mark.parametrize("length", ["0", "7", "12", "99999", "0000000000"])
@pytest.mark.parametrize("name", ["a.emlx", "a.eml"])
def test_a_message_behind_a_number_that_is_not_its_length_is_read(length: str, name: str) -> None:
    data = f"{length}\nSubject: x\nFrom: a@b.c\n\nThe anvil.".encode()
    assert parsed(data, name).text == "# x\n\nFrom: a@b.c\n\nThe anvil."
