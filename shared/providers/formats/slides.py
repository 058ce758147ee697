"""A presentation slide by slide: all its words, in shapes, groups, tables, charts, diagrams, notes and comments."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.errors import Invalid
from shared.providers.office.drawings import chart, diagram, said_of_picture, table_of, text_of
from shared.providers.office.embedded import TextOf, text_within, too_deep
from shared.providers.office.package import Element, Package, Unread, child, children, inside, local, reference

TITLES = ("title", "ctrTitle")
UNSAID = ("sldNum", "sldImg")
ONCE = ("ftr", "dt", "hdr")  # what stands on each slide
CHARTS = ("chart", "chartEx")


class Deck(NamedTuple):
    """The slides as Markdown; `warnings` names what could not be read."""

    slides: list[str]
    title: str
    author: str
    warnings: list[str]


def read(data: bytes, text_of: TextOf = too_deep) -> Deck:
    """Read a presentation, and by `text_of` the files in it; raises Invalid for one that is damaged or empty."""
    package = Package(data)
    parts = _slides(package)
    if not parts:
        raise Invalid("there are no slides in it")
    reader = _Reader(package, text_of)
    slides = [reader.slide(part, number) for number, part in enumerate(parts, 1)]
    return Deck(slides, *package.core(), reader.warnings)


def _slides(package: Package) -> list[str]:
    main = package.main("ppt/presentation.xml")
    try:
        ids = [reference(each) for each in inside(package.tree(main), "sldId")]
    except Unread as error:
        raise Invalid(f"the list of the slides cannot be read: {error}") from error
    links = package.links(main)
    return [links[id].target if id in links else "" for id in ids]


class _Reader:
    """Reads slides one after the other; what stands at the foot of each is said once."""

    def __init__(self, package: Package, text_of: TextOf) -> None:
        self.warnings: list[str] = []
        self._text_of = text_of
        self._package = package
        self._feet: set[str] = set()
        self._designs: set[str] = set()
        self._part, self._number = "", 0

    def slide(self, part: str, number: int) -> str:
        """Return the words of a slide, with its notes and comments; what cannot be read is told."""
        self._part, self._number = part, number
        try:
            root = self._package.tree(part)
        except Unread as error:
            self._missing("the slide", error)
            return ""
        shapes = self._shapes(child(root, "cSld", "spTree"))
        blocks = [*shapes, *self._behind(), *self._notes(), *self._comments()]
        return "\n\n".join(filter(None, (block.strip() for block in blocks)))

    def _missing(self, what: str, error: Unread | str) -> None:
        self.warnings.append(f"slide {self._number}: {what} was not read: {error}")

    def _shapes(self, tree: Element | None) -> Iterator[str]:
        for shape in tree if tree is not None else ():
            kind = local(shape)
            if kind in ("grpSp", "AlternateContent", "Choice", "Fallback", "lockedCanvas"):
                yield from self._shapes(shape)
            elif kind in ("sp", "cxnSp"):
                yield self._words(shape)
            elif kind == "graphicFrame":
                yield from self._frame(shape)
            elif kind == "pic":
                yield said_of_picture(next(inside(shape, "cNvPr"), None))
            elif kind == "contentPart":
                self._missing("what is written by hand", "it is drawn")

    def _words(self, shape: Element) -> str:
        place = _place(shape)
        text = text_of(child(shape, "txBody"))
        today = place == "dt" and next(inside(shape, "fld"), None) is not None
        if place in UNSAID or today or not text:
            return ""
        if place in ONCE:
            return self._once(text)
        return f"## {' '.join(text.split())}" if place in TITLES else text

    def _once(self, text: str) -> str:
        if text in self._feet:
            return ""
        self._feet.add(text)
        return text

    def _behind(self) -> Iterator[str]:
        """Yield what a design shows on each of its slides, once; the places for text in it say nothing."""
        for layout in self._package.linked(self._part, "slideLayout"):
            for part in (layout, *self._package.linked(layout, "slideMaster")):
                if part not in self._designs and self._package.has(part):
                    self._designs.add(part)
                    yield from map(self._once, self._shown_by(part))

    def _shown_by(self, part: str) -> list[str]:
        try:
            shapes = list(inside(self._package.tree(part), "sp"))
        except Unread as error:
            self._missing("what its design shows", error)
            return []
        return [text_of(child(shape, "txBody")) for shape in shapes if not _place(shape)]

    def _frame(self, frame: Element) -> Iterator[str]:
        data = child(frame, "graphic", "graphicData")
        for each in inside(data, "tbl", *CHARTS, "relIds", "oleObj"):
            kind = local(each)
            if kind == "tbl":
                yield table_of(each)
            elif kind == "oleObj":
                yield self._file(each)
            else:
                yield self._drawn(each, kind)

    def _file(self, element: Element) -> str:
        what = f"an embedded object ({element.get('progId') or 'of an unknown kind'})"
        try:
            text, lost = text_within(self._package, self._part, element, self._text_of)
        except Unread as error:
            self._missing(what, error)
            return ""
        self.warnings += [f"slide {self._number}: {what}: {warning}" for warning in lost]
        return text

    def _drawn(self, element: Element, kind: str) -> str:
        name = "a diagram" if kind == "relIds" else "a chart"
        link = self._package.links(self._part).get(reference(element, "dm" if kind == "relIds" else "id"))
        try:
            if link is None:
                raise Unread("it is missing in the file")
            return (diagram if kind == "relIds" else chart)(self._package, link.target)
        except Unread as error:
            self._missing(name, error)
            return ""

    def _notes(self) -> Iterator[str]:
        for part in self._package.linked(self._part, "notesSlide"):
            try:
                shapes = list(inside(self._package.tree(part), "sp", "graphicFrame"))
            except Unread as error:
                self._missing("its notes", error)
                continue
            told = [self._words(shape) for shape in shapes if local(shape) == "sp"]
            told += [table_of(each) for shape in shapes for each in inside(shape, "tbl")]
            if text := "\n\n".join(filter(None, told)):
                yield f"Notes: {text}"

    def _comments(self) -> Iterator[str]:
        for part in self._package.linked(self._part, "comments"):
            try:
                said = [_comment(each) for each in inside(self._package.tree(part), "cm", "reply")]
            except Unread as error:
                self._missing("its comments", error)
                continue
            yield from (f"Comment: {text}" for text in said if text)


def _comment(element: Element) -> str:
    """Return a comment, of the older kind or of the newer."""
    plain = " ".join((each.text or "").strip() for each in children(element, "text"))
    return plain or text_of(child(element, "txBody"))


def _place(shape: Element) -> str:
    return next((place.get("type", "body") for place in inside(child(shape, "nvSpPr"), "ph")), "")
