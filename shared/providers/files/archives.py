"""What a ZIP file holds: a document of several parts, told where it lies and without unpacking it."""

import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO, BinaryIO, Literal

from shared.errors import Invalid, Refused

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    EOFError,
    struct.error,
)
READ_BIT_BY_BIT = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of the other methods one read unpacks all that is packed
OFFICE_MEMBERS = (("word/document.xml", DOCX), ("ppt/presentation.xml", PPTX), ("xl/workbook.xml", XLSX))
# The types of a main part: of documents, templates and shows, with macros, which are not read, or without.
MAIN_TYPES = {
    **dict.fromkeys(("wordprocessingml.document", "wordprocessingml.template"), DOCX),
    **dict.fromkeys(("ms-word.document.macroenabled", "ms-word.template.macroenabledtemplate"), DOCX),
    **dict.fromkeys(("presentationml.presentation", "presentationml.slideshow", "presentationml.template"), PPTX),
    **dict.fromkeys((f"ms-powerpoint.{kind}.macroenabled" for kind in ("presentation", "slideshow", "template")), PPTX),
    **dict.fromkeys(("spreadsheetml.sheet", "spreadsheetml.template"), XLSX),
    **dict.fromkeys((f"ms-excel.{kind}.macroenabled" for kind in ("sheet", "template")), XLSX),
}
BINARY_SHEET = "xl/workbook.bin"
OPEN_DOCUMENTS = (ODT, ODS, ODP)
DECLARED = {EPUB: EPUB} | {f"{kind}{made}": kind for kind in OPEN_DOCUMENTS for made in ("", "-template")}
BOOK = b"application/oebps-package+xml"
PADDING = " \t\r\n\0\ufeff"
CONTENT_TYPES = "[Content_Types].xml"
LARGEST_TYPES = 1 << 20
LARGEST_INDEX = 8 << 20  # bytes, some 100,000 members: the library keeps an object for each
INDEX_WITHIN = (1 << 16) + 22 + 20 + 56
# The records at an archive's end, and where each says how long the index of members is.
ENDS = ((b"PK\x05\x06", "<12xL"), (b"PK\x06\x06", "<40xQ"))


class Unpackable(Refused):
    """A member is packed in a way that documents are not, and that nothing bounds."""


class Archive(zipfile.ZipFile):
    """A ZIP file of somebody else's: a member costs no more memory than is read of it."""

    def open(
        self,
        name: str | zipfile.ZipInfo,
        mode: Literal["r", "w"] = "r",
        pwd: bytes | None = None,
        *,
        force_zip64: bool = False,
    ) -> IO[bytes]:
        """Open a member; raises Unpackable for one that is packed in an unusual way."""
        found = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if found.compress_type not in READ_BIT_BY_BIT:
            raise Unpackable("it is packed in an unusual way: save it again, or pack it as a usual ZIP file (deflate)")
        return super().open(name, mode, pwd, force_zip64=force_zip64)

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """Return a member, of which no more is unpacked than it says that it holds."""
        found = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        with self.open(found, pwd=pwd) as member:
            return member.read(found.file_size)


def package_type(file: BinaryIO) -> str:
    """Return the MIME type of a document that is an archive; raises Invalid for a damaged one, Refused for others."""
    try:
        _require_short_index(file)
        with Archive(file) as archive:
            names = archive.namelist()
            declared = _declared(archive, names)
            types = _beginning(archive, names, CONTENT_TYPES, LARGEST_TYPES)
    except DAMAGED as error:
        raise Invalid("the file is damaged or cut off") from error
    return declared or _office_type(names, types)


def _declared(archive: Archive, names: Sequence[str]) -> str:
    """Return the type that a document names, or that its list of contents tells where programs left the name out."""
    kind = _beginning(archive, names, "mimetype", 256).decode("utf-8-sig", "replace").strip(PADDING).lower()
    kind = kind.partition(";")[0].strip()
    if kind in DECLARED:
        return DECLARED[kind]
    if BOOK in _beginning(archive, names, "META-INF/container.xml", LARGEST_TYPES):
        return EPUB
    listed = _beginning(archive, names, "META-INF/manifest.xml", LARGEST_TYPES)
    return next((DECLARED[each] for each in DECLARED if f'"{each}"'.encode() in listed), "")


def _beginning(archive: Archive, names: Sequence[str], sought: str, size: int) -> bytes:
    """Return the beginning of a member, however its name is written; nothing where there is none."""
    name = next((name for name in names if name.replace("\\", "/").lower() == sought.lower()), None)
    return archive.open(name).read(size) if name is not None else b""


def _require_short_index(file: BinaryIO) -> None:
    """Refuse an archive of so many members that their list alone would fill the memory."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - INDEX_WITHIN))
    end = file.read()
    for mark, place in ENDS:
        at = end.find(mark)
        while at >= 0:
            if len(end) - at >= struct.calcsize(place) and _index_bytes(end, at, place) > LARGEST_INDEX:
                raise Refused("this archive holds too many files")
            at = end.find(mark, at + 1)
    file.seek(0)


def _index_bytes(end: bytes, at: int, place: str) -> int:
    size: int = struct.unpack_from(place, end, at)[0]
    return 0 if size == 0xFFFF_FFFF else size  # then the record of 64 bits says it


def _office_type(names: Sequence[str], types: bytes) -> str:
    """Tell by the usual name of the main part, else by the type that the package gives to it, whatever its name."""
    found = next((kind for member, kind in OFFICE_MEMBERS if member in names), None)
    said = types.lower()
    found = found or next((MAIN_TYPES[main] for main in MAIN_TYPES if f"{main}.main+xml".encode() in said), None)
    if found:
        return found
    if BINARY_SHEET in names:
        raise Refused("this is a binary workbook: save it as .xlsx")
    raise Refused("this is an archive: unpack it first")
