"""Every chapter of a book is read, or named with the reason why not."""

import pytest

from shared.errors import Invalid
from shared.providers.parsing.apart import ApartParser
from shared.providers.parsing.limits import Limits
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import EPUB, sniff
from tests.fakes.documents import epub

XML = '<?xml version="1.0" encoding="{0}"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
SAID = "Été près de là, châtelaine."
LOCK = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
    '<e:EncryptedData><e:EncryptionMethod Algorithm="{0}"/><e:CipherData><e:CipherReference URI="{1}"/></e:CipherData>'
    "</e:EncryptedData></encryption>"
)


def page(body: str, declared: str = "utf-8") -> str:
    return f"{XML.format(declared)}<head><title>c</title></head><body>{body}</body></html>"


def read(data: bytes) -> Parsed:
    assert sniff(data, "a.epub") == EPUB
    return KreuzbergParser().parse(data, EPUB)


def said(body: str) -> str:
    return read(epub({"a.xhtml": page(body)})).text


def test_chapters_come_in_order_with_title_and_author_and_nothing_between() -> None:
    parsed = read(epub({f"{i}.xhtml": page(f"<h1>Part {i}</h1><p>Text {i}.</p>") for i in (2, 1, 3)}))
    assert parsed.text == "# Part 2\n\nText 2.\n\n# Part 1\n\nText 1.\n\n# Part 3\n\nText 3."
    assert (parsed.title, parsed.author, list(parsed.warnings)) == ("The Log", "A. Keeper", [])


@pytest.mark.parametrize("href", ["a%20b.xhtml", "caf%C3%A9.xhtml", "text/../a.xhtml", "./a.xhtml", "50%25.xhtml"])
def test_a_chapter_is_found_however_its_name_is_written(href: str) -> None:
    assert read(epub({href: page("<p>Here.</p>")})).text == "Here."


@pytest.mark.parametrize(
    ("href", "name"),
    [
        pytest.param("caf%C3%A9.xhtml", "OEBPS/cafe\u0301.xhtml", id="composed"),
        pytest.param("Chapter.xhtml", "OEBPS/chapter.XHTML", id="capitals"),
        pytest.param("a%20b.xhtml", "OEBPS/a%20b.xhtml", id="encoded in the archive too"),
        pytest.param("a.xhtml", "OEBPS\\a.xhtml", id="a backslash"),
    ],
)
def test_a_chapter_is_found_under_a_name_that_is_written_otherwise(href: str, name: str) -> None:
    listed = f'<manifest><item id="c" href="{href}" media-type="x"/></manifest><spine><itemref idref="c"/></spine>'
    assert read(epub({}, opf=f"<package>{listed}</package>", members={name: page("<p>Here.</p>")})).text == "Here."


def test_a_chapter_that_is_missing_is_told() -> None:
    listed = (
        '<manifest><item id="a" href="a.xhtml"/><item id="b" href="lost%20one.xhtml"/></manifest><spine>'
        '<itemref idref="a"/><itemref idref="b"/><itemref idref="none"/></spine>'
    )
    parsed = read(epub({"a.xhtml": page("<p>Here.</p>")}, opf=f"<package>{listed}</package>"))
    assert parsed.text == "Here."
    assert list(parsed.warnings) == [
        f"the chapter {name} is missing in the file" for name in ("lost one.xhtml", "none")
    ]


@pytest.mark.parametrize("name", ["{}", "{}" + "x" * 1000])
def test_of_many_missing_chapters_the_first_are_told_and_how_many_more(name: str) -> None:
    refs = "".join(f'<itemref idref="{name.format(number)}"/>' for number in range(2_000))
    listed = f'<manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/>{refs}</spine>'
    book = epub({"a.xhtml": page("<p>Here.</p>")}, opf=f"<package>{listed}</package>")
    parsed = ApartParser(Limits(), lambda: lambda close: None).parse(book, EPUB)
    assert parsed.text == "Here."
    assert parsed.warnings[0].startswith("the chapter 0")
    assert (len(parsed.warnings), parsed.warnings[5]) == (6, "and 1,995 more")
    assert max(map(len, parsed.warnings)) <= 201


def test_a_book_of_nothing_but_missing_chapters_fails_with_a_short_reason() -> None:
    refs = "".join(f'<itemref idref="{number}{"x" * 1000}"/>' for number in range(2_000))
    with pytest.raises(Invalid, match="and 1,995 more") as failure:
        read(epub({}, opf=f"<package><manifest/><spine>{refs}</spine></package>"))
    assert len(str(failure.value)) < 1_100


def test_a_book_without_any_chapter_names_them() -> None:
    listed = '<manifest><item id="b" href="b.xhtml"/></manifest><spine><itemref idref="b"/></spine>'
    with pytest.raises(Invalid, match=r"the chapter b\.xhtml is missing"):
        read(epub({}, opf=f"<package>{listed}</package>"))


@pytest.mark.parametrize("codec", ["iso-8859-1", "windows-1252", "utf-16", "utf-16-le", "utf-8", "utf-8-sig"])
def test_a_chapter_is_decoded_as_it_declares(codec: str) -> None:
    assert read(epub({"a.xhtml": page(f"<p>{SAID}</p>", codec).encode(codec)})).text == SAID


def test_a_chapter_that_cannot_be_decoded_is_told_and_the_others_are_read() -> None:
    parsed = read(epub({"a.xhtml": page("<p>Here.</p>"), "b.xhtml": bytes(range(256)) * 9}))
    assert parsed.text == "Here."
    assert "the chapter OEBPS/b.xhtml cannot be read" in parsed.warnings[0]


@pytest.mark.parametrize("algorithm", ["http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://ns.adobe.com/adept"])
def test_a_protected_book_is_refused_as_such(algorithm: str) -> None:
    lock = {"META-INF/encryption.xml": LOCK.format(algorithm, "OEBPS/a%20b.xhtml")}
    with pytest.raises(Invalid, match="protected by DRM"):
        read(epub({"a%20b.xhtml": b"\x93\x00\xff" * 99}, members=lock))


def test_hidden_fonts_protect_nothing() -> None:
    lock = {"META-INF/encryption.xml": LOCK.format("http://www.idpf.org/2008/embedding", "OEBPS/f.otf")}
    assert read(epub({"a.xhtml": page("<p>Here.</p>")}, members=lock)).text == "Here."


@pytest.mark.parametrize("text", ["日本の歴史は長い。灯台の番人。", "История маяка началась.", "Φάρος της νήσου."])
@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_letters_of_several_bytes_are_read(text: str, before: str) -> None:
    chapters = {f"{i}.xhtml": page(f"<h1>{before}{text}</h1><p>{text * 9}</p>") for i in range(3)}
    parsed = read(epub(chapters))
    assert parsed.text.count(text) == 30


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param("<p>a&nbsp;b &eacute; &amp; &lt;</p>", "a b é & <", id="named characters"),
        pytest.param("<p>salt & pepper<br></p>", "salt & pepper", id="no XML"),
        pytest.param("<p>a<textarea/> & b</p><p>c</p>", "a & b\n\nc", id="no XML, with an empty element"),
        pytest.param("<p>a<script src='x'/></p><p>b</p>", "a\n\nb", id="an empty element"),
        pytest.param("<aside hidden='hidden'>A note.</aside>", "A note.", id="a note"),
        pytest.param("<svg><style>x</style><text>Sea</text><text>Land</text></svg>", "Sea Land", id="a drawing"),
        pytest.param("<p><math><mi>x</mi><mo>=</mo><mn>2</mn></math></p>", "x = 2", id="a formula"),
        pytest.param("<p>a <img src='data:image/png;base64,AAAA' alt='gull'/></p>", "a gull", id="a picture"),
    ],
)
def test_every_text_of_a_chapter_is_read(body: str, text: str) -> None:
    assert said(body).replace("\xa0", " ") == text


def test_no_entity_is_followed() -> None:
    hostile = '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]><html><body><p>x &a;</p></body></html>'
    assert read(epub({"a.xhtml": hostile})).text.replace("\\", "") == "x &a;"


@pytest.mark.parametrize("opf", ["<package/>", "<package><spine>", "\0\1\2"])
def test_a_book_without_a_list_of_chapters_is_damaged(opf: str) -> None:
    with pytest.raises(Invalid, match="damaged"):
        read(epub({}, opf=opf))
