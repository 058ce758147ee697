"""A Word document to Markdown: its text, and what stands around it: heads and feet of pages, notes, comments."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.errors import Invalid
from shared.providers.office.embedded import TextOf, too_deep
from shared.providers.office.package import Element, Package, Unread, child, children, inside, reference
from shared.providers.word.numbering import Lists, Styles
from shared.providers.word.word import Marks, Source, Writer

MAIN = "word/document.xml"
NOTES = {"footnote": "footnotes", "endnote": "endnotes", "comment": "comments"}


class Document(NamedTuple):
    """A document as Markdown; `warnings` names what could not be read."""

    text: str
    title: str
    author: str
    warnings: list[str]


def read(data: bytes, text_of: TextOf = too_deep) -> Document:
    """Read a document, and by `text_of` the files in it; raises Invalid for one that is damaged."""
    try:
        reader = _Reader(Package(data), text_of)
        return Document(reader.text(), *reader.package.core(), list(dict.fromkeys(reader.warnings)))
    except Unread as error:
        raise Invalid(f"the file is damaged or cut off: its text cannot be read ({error})") from error
    except RecursionError as error:
        raise Invalid("the file is damaged: its text is nested too deeply") from error


class _Reader:
    """Reads the parts of a document around its text."""

    def __init__(self, package: Package, text_of: TextOf) -> None:
        self.package = package
        self._text_of = text_of
        self.warnings: list[str] = []
        self._main = package.main(MAIN)
        self._styles = Styles(self._part("styles", "the styles"))
        self._numbers = self._part("numbering", "the numbers of the lists")
        self._writers: dict[str, Writer] = {}
        self._notes = {(kind, id): note for kind in NOTES for id, note in self._found(kind)}
        self._marks = Marks(set(self._notes))

    def text(self) -> str:
        """Return the whole text: the heads of the pages before it, their feet and the notes behind; raises Unread."""
        root = self.package.tree(self._main)
        writer = self._writer(self._main)
        within = child(root, "body")
        body = writer.text(root if within is None else within)
        blocks = [*self._margins(root, "headerReference"), body, *self._margins(root, "footerReference")]
        return "\n\n".join(filter(None, [*blocks, *self._told()]))

    def _writer(self, part: str, *, margin: bool = False) -> Writer:
        source = Source(self.package, part, self._styles, Lists(self._numbers, self._styles), self._text_of)
        return Writer(source, self.warnings, self._marks, margin=margin)

    def _names(self, kind: str) -> Iterator[str]:
        """Return the names of the parts of a kind, linked or by their usual name."""
        linked = self.package.linked(self._main, kind)
        yield from linked or filter(self.package.has, [f"word/{kind}.xml"])

    def _part(self, kind: str, what: str) -> Element | None:
        for name in self._names(kind):
            try:
                return self.package.tree(name)
            except Unread as error:
                self.warnings.append(f"{what} were not read: {error}")
        return None

    def _found(self, kind: str) -> Iterator[tuple[str, Element]]:
        for note in children(self._part(NOTES[kind], f"the {NOTES[kind]}"), kind):
            if reference(note, "type") in ("", "normal"):
                yield reference(note), note

    def _margins(self, root: Element, kind: str) -> list[str]:
        """Return what stands at the head or at the foot of the pages, each once."""
        links = self.package.links(self._main)
        parts = dict.fromkeys(links[reference(each)].target for each in inside(root, kind) if reference(each) in links)
        told = []
        for part in parts:
            try:
                told.append(self._writer(part, margin=True).text(self.package.tree(part)))
            except Unread as error:
                self.warnings.append(f"what stands at the edge of the pages was not read: {error}")
        return list(dict.fromkeys(told))

    def _told(self) -> Iterator[str]:
        """Yield the notes in the order of their marks, and comments without one; each may refer to more."""
        yield from self._marked(0)
        told = len(self._marks)
        for key in self._notes:
            if key not in self._marks and key[0] == "comment" and (text := self._note(*key)):
                yield text
        yield from self._marked(told)

    def _marked(self, told: int) -> Iterator[str]:
        while new := [*self._marks][told:]:
            yield from (f"[{self._marks[key]}] {self._note(*key)}" for key in new)
            told += len(new)

    def _note(self, kind: str, id: str) -> str:
        note = self._notes[kind, id]
        if kind not in self._writers:
            self._writers[kind] = self._writer(next(iter(self._names(NOTES[kind])), ""))
        text = self._writers[kind].text(note)
        if kind != "comment" or not text:
            return text
        author = reference(note, "author")
        return f"Comment ({author}): {text}" if author else f"Comment: {text}"
