"""The notes of a Word document are told once each, whatever part of it refers to them."""

from tests.fakes import office
from tests.fakes.documents import WORD
from tests.fakes.word import document, read
from tests.unit.providers.test_docx_around import linking, said


def referring(text: str, id: str, kind: str = "footnote") -> str:
    return f'<w:p><w:r><w:t>{text}</w:t></w:r><w:r><w:{kind}Reference w:id="{id}"/></w:r></w:p>'


def note(id: str, inner: str, kind: str = "footnote") -> str:
    return f'<w:{kind} w:id="{id}">{inner}</w:{kind}>'


def test_a_note_that_only_another_refers_to_is_told() -> None:
    notes = note("2", referring("See the deed", "3")) + note("3", referring("It is lost", "4")) + note("4", said("Yes"))
    text = read(referring("The mill", "2"), footnotes=notes)
    assert text == "The mill[1]\n\n[1] See the deed[2]\n\n[2] It is lost[3]\n\n[3] Yes"


def test_notes_of_several_kinds_share_their_marks() -> None:
    notes = {"footnotes": note("2", referring("Deed", "2", "endnote")), "endnotes": note("2", said("Lost"), "endnote")}
    assert read(referring("Mill", "2"), **notes) == "Mill[1]\n\n[1] Deed[2]\n\n[2] Lost"


def test_notes_that_refer_to_each_other_or_themselves_are_told_once() -> None:
    notes = note("2", referring("One", "3")) + note("3", referring("Two", "2")) + note("4", referring("Self", "4"))
    text = read(referring("A", "2") + referring("B", "4"), footnotes=notes)
    assert text == "A[1]\n\nB[2]\n\n[1] One[3]\n\n[2] Self[2]\n\n[3] Two[1]"


def test_a_comment_that_nothing_refers_to_may_refer_to_a_note() -> None:
    notes = {
        "comments": note("7", referring("Why", "3"), "comment"),
        "footnotes": note("2", said("Deed")) + note("3", said("Lost")),
    }
    assert read(referring("Mill", "2"), **notes) == "Mill[1]\n\n[1] Deed\n\nComment: Why[2]\n\n[2] Lost"


def test_a_note_that_only_the_head_of_a_page_refers_to_is_told() -> None:
    body = f'{referring("Text", "2")}<w:sectPr><w:headerReference xmlns:r="{office.LINK}" r:id="a"/></w:sectPr>'
    comments = note("7", said("Old name"), "comment")
    head = f'<w:hdr xmlns:w="{WORD}">{referring("File 772", "7", "comment")}</w:hdr>'
    whole = document(body, footnotes=note("2", said("Deed")), comments=comments)
    parsed = linking(whole, {"word/a.xml": head}, {"a": ("header", "/word/a.xml")})
    assert parsed.text == "File 772[2]\n\nText[1]\n\n[1] Deed\n\n[2] Comment: Old name"
