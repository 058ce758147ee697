"""An OpenDocument to Markdown: a text, a workbook or a presentation."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.errors import Invalid
from shared.providers.formats.open_lists import Styles
from shared.providers.formats.open_sheet import Sheet, hidden_styles
from shared.providers.formats.open_text import Writer
from shared.providers.office.package import Element, Package, Unread, child, children, inside, local, reference

CONTENT, STYLES, META, MANIFEST = "content.xml", "styles.xml", "meta.xml", "META-INF/manifest.xml"
EDGES = {"header": ("header-first", "header", "header-left"), "footer": ("footer-first", "footer", "footer-left")}
TITLES = ("title", "subtitle")
UNSEEN = ("page-number", "date-time")
PLACES = (*TITLES, *UNSEEN, "outline", "object", "notes", "page", "handout")  # for what each slide says itself


class Document(NamedTuple):
    """A document as Markdown; `slides` only of a presentation; `warnings` names what could not be read."""

    text: str
    title: str
    author: str
    warnings: list[str]
    slides: list[str]


def read(data: bytes) -> Document:
    """Read a document; raises Invalid for one that is damaged or encrypted."""
    package = Package(data)
    try:
        return _Reader(package).document()
    except Unread as error:
        locked = package.has(MANIFEST) and b"encryption-data" in package.read(MANIFEST)
        reason = "the file is encrypted: save it without a password"
        raise Invalid(reason if locked else f"the file is damaged or cut off: its text {error}") from error
    except RecursionError as error:
        raise Invalid("the file is damaged: its text is nested too deeply") from error


class Design:
    """What the designs of a presentation show on its slides."""

    def __init__(self, masters: Element | None, presentation: Element | None) -> None:
        """Index the designs."""
        self._masters = {reference(each, "name"): each for each in children(masters, "master-page")}
        self._declared = children(presentation, "header-decl", "footer-decl", "date-time-decl")
        self._said: set[str] = set()

    def new(self, page: Element, writer: Writer) -> Iterator[str]:
        """Yield what stands behind a slide and at its edges, if no slide before said so."""
        for text in self._shown(page, writer):
            if text not in self._said:
                self._said.add(text)
                yield text

    def _shown(self, page: Element, writer: Writer) -> Iterator[str]:
        for shape in self._masters.get(reference(page, "master-page-name"), ()):
            if reference(shape, "class") not in PLACES and local(shape) != "notes":
                yield writer.text([shape])
        uses = [reference(page, f"use-{edge}-name") for edge in ("header", "footer", "date-time")]
        for declared in self._declared:
            if reference(declared, "name") in uses and reference(declared, "source") != "current-date":
                yield writer.inline(declared).strip()


class _Reader:
    """Reads the parts of a document."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._warnings: list[str] = []
        self._content = package.tree(CONTENT)
        self._styles = self._part(STYLES, "what stands at the edges of the pages")
        self._meta = self._part(META, "the title and the author")
        roots = [root for root in (self._styles, self._content) if root is not None]
        self._lists = Styles(*roots)

    def document(self) -> Document:
        """Return the whole."""
        body = child(self._content, "body")
        writer = self._writer([])
        shown = Design(child(self._styles, "master-styles"), child(body, "presentation"))
        slides = [self._slide(page, shown) for page in inside(child(body, "presentation"), "page")]
        sheets = list(self._sheets(child(body, "spreadsheet"), writer))
        text = child(body, "text")
        told = [writer.text(text)] if text is not None else sheets
        edges = (self._edges(kind, writer.notes) for kind in EDGES)
        blocks = [*next(edges), *told, *next(edges), *writer.told()]
        about = "\n\n".join(filter(None, blocks))
        return Document(about, self._said("title"), self._author(), list(dict.fromkeys(self._warnings)), slides)

    def _writer(self, notes: list[str], *, margin: bool = False) -> Writer:
        return Writer(self._package, self._lists, self._warnings, notes, margin=margin)

    def _part(self, name: str, what: str) -> Element | None:
        if not self._package.has(name):
            return None
        try:
            return self._package.tree(name)
        except Unread as error:
            self._warnings.append(f"{what} could not be read: {error}")
            return None

    def _said(self, name: str) -> str:
        return next((" ".join("".join(each.itertext()).split()) for each in inside(self._meta, name)), "")

    def _author(self) -> str:
        return self._said("initial-creator") or self._said("creator")

    def _edges(self, kind: str, notes: list[str]) -> list[str]:
        """Return what stands at the head or at the foot of the pages, each once."""
        pages = inside(child(self._styles, "master-styles"), "master-page")
        found = [edge for page in pages for edge in children(page, *EDGES[kind])]
        shown = [edge for edge in found if reference(edge, "display") != "false"]
        return list(dict.fromkeys(self._writer(notes, margin=True).text(edge) for edge in shown))

    def _sheets(self, body: Element | None, writer: Writer) -> Iterator[str]:
        hidden = hidden_styles(self._content)
        for element in children(body, "table"):
            sheet = Sheet(element, writer, hidden)
            yield sheet.text()
            self._warnings += sheet.told()

    def _slide(self, page: Element, design: "Design") -> str:
        """Return the words of a slide; what its design shows on each is said on the first."""
        writer = self._writer([])
        blocks = [self._shape(shape, writer) for shape in page if local(shape) not in ("notes", "annotation")]
        blocks += design.new(page, self._writer(writer.notes, margin=True))
        for notes in children(page, "notes"):
            said = [writer.text([each]) for each in notes if not _is_of_the_page(each)]
            text = "\n\n".join(filter(None, said))
            blocks.append(f"Notes: {text}" if text else "")
        for comment in children(page, "annotation"):
            text = writer.text([each for each in comment if local(each) in ("p", "list")])
            blocks.append(f"Comment: {text}" if text else "")
        return "\n\n".join(filter(None, [*blocks, *writer.told()]))

    def _shape(self, shape: Element, writer: Writer) -> str:
        text = writer.text([shape])
        is_title = reference(shape, "class") in TITLES[:1]
        return f"## {' '.join(text.split())}" if is_title and text else "" if _is_of_the_page(shape) else text


def _is_of_the_page(shape: Element) -> bool:
    return reference(shape, "class") in UNSEEN
