"""The parts of an Office document: read by name, and found by the links between them."""

import codecs
import io
import posixpath
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from xml.etree import ElementTree

from shared.errors import Invalid
from shared.providers.files.archives import DAMAGED, Archive, Unpackable

CORE = "docProps/core.xml"
ROOT = ""
LARGEST = 400 << 20  # bytes of a part, unpacked
BROKEN = (ElementTree.ParseError, ValueError, LookupError)
OFF = ("0", "false", "off")
UNSAID = frozenset({"PowerPoint Presentation"})  # what programs write for a title that nobody gave

Element = ElementTree.Element


class Unread(Exception):
    """A part cannot be read; the reason is for people."""


class Link(NamedTuple):
    """What a part links to: the last word of the link's type, and the name of the other part or an address outside."""

    kind: str
    target: str
    is_outside: bool = False


class Package:
    """An open document; raises Invalid for a file that is damaged or locked."""

    def __init__(self, data: bytes) -> None:
        """Find the parts."""
        try:
            self._archive = Archive(io.BytesIO(data))
        except DAMAGED as error:
            raise Invalid("the file is damaged or cut off") from error
        self._links: dict[str, dict[str, Link]] = {}
        self._names = {_plain(name).casefold(): name for name in self._archive.namelist()}

    def has(self, name: str) -> bool:
        """Say whether there is a part of this name."""
        return _plain(name).casefold() in self._names

    def read(self, name: str) -> bytes:
        """Return a part; raises Unread."""
        try:
            found = self._archive.getinfo(self._names[_plain(name).casefold()])
            if found.file_size > LARGEST:
                raise Unread("it is too large when unpacked")
            return self._archive.read(found)
        except KeyError as error:
            raise Unread("it is missing in the file") from error
        except Unpackable as error:
            raise Unread(str(error)) from error
        except DAMAGED as error:
            raise Unread("it is locked" if "password" in str(error) else "it is damaged") from error

    def tree(self, name: str) -> Element:
        """Return a part of XML, of each alternative the first; raises Unread."""
        part = self._markup(name)
        try:
            root = ElementTree.fromstring(part)
        except BROKEN as error:
            raise Unread("it is damaged") from error
        _settle(root)
        return root

    def stream(self, name: str, *kinds: str) -> Iterator[Element]:
        """Yield the elements of some names, in a part that may be large, and forget each; raises Unread."""
        part = io.BytesIO(self._markup(name))
        try:
            for _, element in ElementTree.iterparse(part):
                if local(element) in kinds:
                    yield element
                    element.clear()
        except BROKEN as error:
            raise Unread("it is damaged") from error

    def _markup(self, name: str) -> bytes:
        part = _in_utf8(self.read(name))
        if b"<!DOCTYPE" in part or b"<!ENTITY" in part:  # which could name files of ours
            raise Unread("it has a document type")
        return part

    def links(self, name: str) -> dict[str, Link]:
        """Return what a part links to by the links' ids; nothing where that is missing or damaged."""
        if name not in self._links:
            folder, file = posixpath.split(name)
            try:
                self._links[name] = dict(_links(self.tree(posixpath.join(folder, "_rels", f"{file}.rels")), folder))
            except Unread:
                self._links[name] = {}
        return self._links[name]

    def linked(self, name: str, kind: str) -> list[str]:
        """Return the parts of a kind that a part links to."""
        return [link.target for link in self.links(name).values() if link.kind == kind and not link.is_outside]

    def main(self, usual: str) -> str:
        """Return the name of the part that holds the document, by the links or its usual name; raises Invalid."""
        found = next(filter(self.has, [*self.linked(ROOT, "officeDocument"), usual]), "")
        if not found:
            raise Invalid("the file is damaged: its main part is missing")
        return found

    def core(self) -> tuple[str, str]:
        """Return the title and the author that the document tells of itself."""
        name = next(iter(self.linked(ROOT, "core-properties")), CORE)
        try:
            told = {local(each): " ".join("".join(each.itertext()).split()) for each in self.tree(name)}
        except Unread:
            return "", ""
        title = told.get("title", "")
        return "" if title in UNSAID else title, told.get("creator", "")


def _in_utf8(part: bytes) -> bytes:
    """Return a part of two bytes a letter as one in which a document type can be seen; raises Unread."""
    if b"\0" not in part[:2] and not part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return part
    marked = part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = part.decode("utf-16" if marked else "utf-16-be" if part.startswith(b"\0") else "utf-16-le")
    except UnicodeError as error:
        raise Unread("it is damaged") from error
    return text[text.find("?>") + 2 if text.startswith("<?xml") else 0 :].encode()


def _links(found: Element, folder: str) -> Iterator[tuple[str, Link]]:
    for link in found:
        target, kind = link.get("Target", ""), link.get("Type", "").rpartition("/")[2]
        is_outside = link.get("TargetMode") == "External"
        path = target if is_outside else posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        yield link.get("Id", ""), Link(kind, path, is_outside)


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/")


def _settle(root: Element) -> None:
    """Leave out what only older programs read instead of something else."""
    for each in root.iter():
        if local(each) == "AlternateContent" and any(local(choice) == "Choice" for choice in each):
            each[:] = [next(choice for choice in each if local(choice) == "Choice")]


def local(element: Element) -> str:
    """Return an element's name without its namespace, which may be one of two."""
    return _name(element.tag) if isinstance(element.tag, str) else ""


@lru_cache(maxsize=1024)
def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def children(element: Element | None, *names: str) -> list[Element]:
    """Return the elements directly inside that have one of these names."""
    return [] if element is None else [child for child in element if local(child) in names]


def child(element: Element | None, *path: str) -> Element | None:
    """Return the first element on a path of names."""
    for name in path:
        element = next(iter(children(element, name)), None)
    return element


def inside(element: Element | None, *names: str) -> Iterator[Element]:
    """Return the elements anywhere inside that have one of these names, in their order."""
    return iter(()) if element is None else (each for each in element.iter() if local(each) in names)


def reference(element: Element, name: str = "id") -> str:
    """Return what an element names in an attribute of a namespace, such as the id of a link."""
    return next(
        (value for key, value in element.attrib.items() if key.startswith("{") and key.endswith(f"}}{name}")), ""
    )


def value(element: Element | None, name: str) -> str:
    """Return the value that an element directly inside gives, as Word writes the looks of things."""
    found = child(element, name)
    return reference(found, "val") if found is not None else ""


def is_on(look: Element | None, name: str) -> bool:
    """Say whether a look is there and not switched off."""
    found = child(look, name)
    return found is not None and reference(found, "val") not in OFF
