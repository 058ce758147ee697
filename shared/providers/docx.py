"""A Word document made fit for the parser, which drops what stands for letters: tabs, hyphens, symbols, notes."""

import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

from shared.errors import Invalid
from shared.providers.archives import DAMAGED
from shared.providers.symbols import drawn

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
LINKS = "_rels/.rels"
MAIN = "word/document.xml"
MAIN_LINKS = "word/_rels/document.xml.rels"
KNOWN = {kind: f"word/{kind}.xml" for kind in ("styles", "numbering", "footnotes", "endnotes")}
NOTES = {"footnote": "word/footnotes.xml", "endnote": "word/endnotes.xml"}
SPACE = "{http://www.w3.org/XML/1998/namespace}space"
DROPPED = frozenset({"moveFrom", "del", "softHyphen"})
SAID = ("t", "br")
OWN_PREFIX = re.compile(r"ns\d+")  # the library keeps these to itself
OFF = ("0", "false", "off")
AS_TEXT: dict[str, Callable[[ElementTree.Element], str]] = {
    "tab": lambda _: " ",  # the parser would write &#9;
    "ptab": lambda _: " ",
    "noBreakHyphen": lambda _: "-",
    "sym": lambda element: _symbol(element),
}
WIDEST = 63  # columns
Element = ElementTree.Element


def repaired(data: bytes) -> bytes:
    """Return the document with its main part where the parser looks, and every letter as text; raises Invalid."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
            return _written(_with_letters(_with_main_part(members)))
    except (*DAMAGED, ElementTree.ParseError) as error:
        raise Invalid("the file is damaged or cut off") from error


def main_part(links: bytes) -> str | None:
    """Return the name of the part that holds the text, as a package's own links tell it."""
    return _linked(links, "").get("officeDocument")


def _linked(links: bytes, folder: str) -> dict[str, str]:
    """Return the names of parts by what they are to the one in this folder that links them."""
    found = ((link.get("Type", "").rpartition("/")[2], link.get("Target", "")) for link in _parsed(links))
    return {kind: posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/") for kind, target in found}


def _with_main_part(members: dict[str, bytes]) -> dict[str, bytes]:
    """Give the parts that the parser knows by name alone the names that it knows."""
    name = main_part(members[LINKS]) if LINKS in members else None
    if name is None or name not in members:
        return members
    folder, _, file = name.rpartition("/")
    relations = f"{folder}/_rels/{file}.rels".lstrip("/")
    linked = _linked(members[relations], folder) if relations in members else {}
    known = {MAIN: name, MAIN_LINKS: relations} | {KNOWN[kind]: part for kind, part in linked.items() if kind in KNOWN}
    moved = {known_as: members[part] for known_as, part in known.items() if part in members}
    kept = {each: content for each, content in members.items() if each not in known.values()}
    for index in ("[Content_Types].xml", LINKS):
        kept[index] = kept.get(index, b"").replace(name.encode(), MAIN.encode())
    return kept | moved


def _with_letters(members: dict[str, bytes]) -> dict[str, bytes]:
    if MAIN not in members:
        return members
    root = _parsed(members[MAIN])
    _mend(root)
    _put_notes(root, members)
    return members | {MAIN: _serialised(root, members[MAIN])}


def _parsed(part: bytes) -> Element:
    """Parse a part; a document type could name files of ours, and no word processor writes one."""
    if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise ValueError("a document type")
    return ElementTree.fromstring(part)


def _serialised(root: Element, original: bytes) -> bytes:
    for _, (prefix, uri) in ElementTree.iterparse(io.BytesIO(original), ["start-ns"]):
        if not OWN_PREFIX.fullmatch(prefix):
            ElementTree.register_namespace(prefix, uri)
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))


def _mend(root: Element) -> None:
    """Leave out what is deleted, moved away or hidden, and write elements that stand for letters as letters."""
    todo = [root]
    while todo:
        parent = todo.pop()
        parent[:] = [child for child in parent if not _is_dropped(child)]  # one by one, many take long to leave
        for child in parent:
            kind = _kind(child)
            if kind in ("cr", "br"):
                _become_break(child)
            elif kind == "gridSpan":
                _limit_span(child)
            elif kind in AS_TEXT and _kind(parent) == "r":
                _become_text(child, AS_TEXT[kind](child))
            else:
                todo.append(child)


def _is_dropped(element: Element) -> bool:
    kind = _kind(element)
    return kind in DROPPED or (kind == "r" and _is_hidden(element))


def _become_break(element: Element) -> None:
    """Make of a break, to another page too, the plain one, at which alone the parser parts words."""
    namespace = element.tag.partition("}")[0]
    element.clear()
    element.tag = f"{namespace}}}br"


def _limit_span(element: Element) -> None:
    """Let a cell be no wider than any of Word: the parser repeats its text in each column."""
    across = _value(element, "val") or ""
    if not across.isdecimal() or len(across) > 2 or int(across) > WIDEST:
        element.clear()


def _become_text(element: Element, text: str) -> None:
    namespace = element.tag.partition("}")[0]
    element.clear()
    element.tag = f"{namespace}}}t"
    element.set(SPACE, "preserve")
    element.text = text


def _is_hidden(run: Element) -> bool:
    return any(_kind(mark) == "vanish" and _value(mark, "val") not in OFF for each in run for mark in each)


def _symbol(element: Element) -> str:
    try:
        code = int(_value(element, "char") or "", 16)
    except ValueError:
        return ""
    return drawn(_value(element, "font") or "", code) if code < 0x11_0000 else ""


def _put_notes(root: Element, members: dict[str, bytes]) -> None:
    """Mark each note where it is referred to, once, and tell it behind the text, whatever its kind and number."""
    body = next((child for child in root if _kind(child) == "body"), None)
    notes = {kind: dict(_notes(members.pop(part))) for kind, part in NOTES.items() if part in members}
    if body is None or not any(notes.values()):
        return
    told: dict[tuple[str, str], int] = {}
    for reference in [*root.iter()]:
        kind, id = _kind(reference).removesuffix("Reference"), _value(reference, "id") or ""
        if not _kind(reference).endswith("noteReference") or id not in notes.get(kind, {}):
            continue
        mark = told.setdefault((kind, id), len(told) + 1)
        _become_text(reference, f"[{mark}]")
    place = len(body) - (_kind(body[-1]) == "sectPr" if len(body) else 0)
    namespace = root.tag.partition("}")[0]
    body[place:place] = [_paragraph(f"[{mark}] {notes[kind][id]}", namespace) for (kind, id), mark in told.items()]


def _notes(part: bytes) -> Iterator[tuple[str, str]]:
    root = _parsed(part)
    _mend(root)
    for note in root:
        text = "\n".join(_text_of(paragraph) for paragraph in note.iter() if _kind(paragraph) == "p").strip()
        if text and _value(note, "type") in (None, "normal"):
            yield _value(note, "id") or "", text


def _text_of(paragraph: Element) -> str:
    return "".join("\n" if _kind(each) == "br" else each.text or "" for each in paragraph.iter() if _kind(each) in SAID)


def _paragraph(text: str, namespace: str) -> Element:
    paragraph = Element(f"{namespace}}}p")
    run = ElementTree.SubElement(paragraph, f"{namespace}}}r")
    said = ElementTree.SubElement(run, f"{namespace}}}t", {SPACE: "preserve"})
    said.text = text
    return paragraph


def _kind(element: Element) -> str:
    namespace, _, name = element.tag.rpartition("}") if isinstance(element.tag, str) else ("", "", "")
    return name if namespace[1:] in (WORD, STRICT) else ""


def _value(element: Element, name: str) -> str | None:
    return element.get(f"{{{WORD}}}{name}", element.get(f"{{{STRICT}}}{name}"))


def _written(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
