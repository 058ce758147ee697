"""An EPUB's chapters in the order of its spine, each as a page of HTML: the parser's own way to them loses some."""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from html.entities import html5
from typing import NamedTuple
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

from shared.domain.text import normalised
from shared.errors import Invalid, Refused
from shared.providers.files import encoding
from shared.providers.files.archives import DAMAGED, Archive, Unpackable
from shared.providers.web.markup import VOID

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
LOCKED = "the file is encrypted: save it without a password"
LARGEST = 100 * 1024 * 1024  # bytes of all chapters, unpacked
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")  # which hold no text
FIRST_TAG = re.compile(r"<[A-Za-z]")
NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
OF_XML = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
EMPTY = re.compile(r"<([A-Za-z]\w*)((?:\s[^<>]*)?)/>")
DROPPED = frozenset({"head", "script", "style"})
DRAWN = frozenset({"svg", "math"})  # of which the parser would write the source
ASIDE = frozenset({"aside", "header", "footer"})

Element = ElementTree.Element


class Item(NamedTuple):
    """A file that the book's manifest lists."""

    href: str
    media_type: str
    fallback: str


class Chapter(NamedTuple):
    """A chapter as a page of HTML, or why it cannot be read."""

    name: str
    page: str
    fault: str = ""


class Book:
    """An open EPUB; raises Invalid for one that is damaged, protected or too large."""

    def __init__(self, data: bytes) -> None:
        """Find the chapters."""
        try:
            self._archive = Archive(io.BytesIO(data))
            self._names = Names(self._archive)
            self._folder, package = self._package()
            self._find(package)
        except Unpackable:
            raise
        except (*DAMAGED, ElementTree.ParseError, Refused) as error:
            locked = "password" in str(error)  # all that the library says of it
            raise Invalid(LOCKED if locked else "the file is damaged or cut off") from error

    def chapters(self) -> Iterator[Chapter]:
        """Read the chapters one by one, each once; those that cannot be read say why."""
        for name, found in self._spine.items():
            if found is None:
                yield Chapter(name, "", f"the chapter {name} is missing in the file")
                continue
            try:
                yield Chapter(name, as_html(_decoded(self._archive.read(found))))
            except Refused as error:
                yield Chapter(name, "", f"the chapter {name} cannot be read: {error}")
            except DAMAGED as error:
                reason = LOCKED if "password" in str(error) else "it is damaged"
                yield Chapter(name, "", f"the chapter {name} cannot be read: {reason}")

    def _package(self) -> tuple[str, Element]:
        container = self._names.find(CONTAINER)
        roots = _tree(self._archive.read(container)).findall(".//{*}rootfile") if container else []
        found = [self._names.find(root.get("full-path", "")) for root in roots] + [self._names.first(".opf")]
        package = next((each for each in found if each), None)
        if package is None:
            raise Invalid("the file is damaged: the list of its chapters is missing")
        return posixpath.dirname(package.filename), _tree(self._archive.read(package))

    def _find(self, package: Element) -> None:
        self.title = _said(package, "title")
        self.author = _said(package, "creator")
        manifest = {
            item.get("id", ""): Item(item.get("href", ""), item.get("media-type", ""), item.get("fallback", ""))
            for item in package.findall(".//{*}manifest/{*}item")
        }
        self._spine: dict[str, zipfile.ZipInfo | None] = {}
        for reference in package.findall(".//{*}spine/{*}itemref"):
            self._add(reference.get("idref", ""), manifest)
        if not self._spine:
            raise Invalid("the file is damaged: the list of its chapters is empty")
        self._refuse_protected()
        if sum(found.file_size for found in self._spine.values() if found) > LARGEST:
            raise Invalid("its chapters are too large when unpacked: send it in parts")

    def _add(self, id: str, manifest: dict[str, Item]) -> None:
        item = manifest.get(id)
        if item and item.media_type in PICTURES:
            item = manifest.get(item.fallback)
            if item is None or item.media_type in PICTURES:
                return
        href = urldefrag(item.href)[0] if item else id
        found = self._names.find(posixpath.join(self._folder, href)) if item else None
        self._spine[found.filename if found else unquote(href)] = found

    def _refuse_protected(self) -> None:
        """Refuse a book whose chapters are encrypted; fonts are in many books that anyone may read."""
        found = self._names.find(ENCRYPTION)
        ciphers = _tree(self._archive.read(found)).findall(".//{*}CipherReference") if found else []
        encrypted = [self._names.find(cipher.get("URI", "")) for cipher in ciphers]
        if {each.filename for each in encrypted if each} & self._spine.keys():
            raise Invalid("it is protected by DRM: only a copy without protection can be read")


class Names:
    """The files of an archive, found by a reference however it writes the name."""

    def __init__(self, archive: Archive) -> None:
        """Index the files."""
        self._files = [info for info in archive.infolist() if not info.is_dir()]
        self._exact = {_plain(info.filename): info for info in self._files}
        self._alike = {_folded(name): info for info in self._files for name in _spellings(info)}

    def find(self, path: str) -> zipfile.ZipInfo | None:
        """Return the file that a path names, percent-encoded or not; None where there is none."""
        paths = [_plain(each) for each in (unquote(path), path, unquote(path, "latin-1"))]
        exact = (self._exact.get(each) for each in paths)
        alike = (self._alike.get(_folded(each)) for each in paths)
        return next((found for found in (*exact, *alike) if found), None)

    def first(self, suffix: str) -> zipfile.ZipInfo | None:
        """Return the first file whose name ends so."""
        return next((info for info in self._files if info.filename.lower().endswith(suffix)), None)


def as_html(text: str) -> str:
    """Return a chapter as a page of HTML whose every text the parser reads."""
    first = FIRST_TAG.search(text)
    text = text[first.start() :] if first else text
    try:
        root = ElementTree.fromstring(NAMED.sub(_character, text))
        _make_html(root)
        return ElementTree.tostring(root, "unicode", method="html")
    except (ElementTree.ParseError, RecursionError):  # no XML, or very deep: the parser makes of it what browsers would
        return EMPTY.sub(_closed, text)


def _make_html(root: Element) -> None:
    for element in reversed([*root.iter()]):  # so that a drawing's own style is gone before its text is taken
        element.tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else "span"
        element.attrib = {name: value for name, value in element.attrib.items() if "}" not in name}
        if element.tag in DROPPED:
            _become(element, "span", "")
        elif element.tag in DRAWN:
            _become(element, "span", " ".join(" ".join(element.itertext()).split()))
        elif element.tag == "img" and element.get("src", "").startswith("data:"):
            _become(element, "span", element.get("alt", ""))
        elif element.tag in ASIDE:  # a note, often hidden until it is asked for
            element.tag = "div"
            element.attrib.pop("hidden", None)


def _become(element: Element, tag: str, text: str) -> None:
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail


def _character(found: re.Match[str]) -> str:
    return found[0] if found[1] in OF_XML else html5.get(found[1], found[0])


def _closed(found: re.Match[str]) -> str:
    return found[0] if found[1].lower() in VOID else f"<{found[1]}{found[2]}></{found[1]}>"


def _tree(part: bytes) -> Element:
    """Parse a part without its document type, which could name files of ours or grow without end."""
    text = _decoded(part)
    first = FIRST_TAG.search(text)
    return ElementTree.fromstring(NAMED.sub(_character, text[first.start() :]) if first else "")


def _decoded(part: bytes) -> str:
    return encoding.decode(part, encoding.declared_in(part))


def _said(package: Element, name: str) -> str:
    said = (" ".join("".join(each.itertext()).split()) for each in package.findall(f".//{{*}}metadata//{{*}}{name}"))
    return next(filter(None, said), "")


def _spellings(info: zipfile.ZipInfo) -> Iterator[str]:
    """Give the name, and what it is where the archive does not say that its names are in UTF-8."""
    yield info.filename
    try:
        yield info.filename.encode("cp437").decode()
    except UnicodeError:
        return


def _plain(path: str) -> str:
    return posixpath.normpath(path.replace("\\", "/")).lstrip("/")


def _folded(name: str) -> str:
    return normalised("NFC", _plain(name)).casefold()
