"""Small real documents, made on the spot."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

DOCX_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
DOCX_LINKS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
Parts = Mapping[str, str | bytes]
XHTML = "application/xhtml+xml"
EPUB_TYPE = "application/epub+zip"
EPUB_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def pdf(pages: Sequence[str], *, title: str = "", author: str = "") -> bytes:
    """Return a PDF with one line of Latin text per page."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, line in enumerate(pages):
        drawing = f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
    objects.append(f"<< /Title ({title}) /Author ({author}) >>")
    return _with_table(objects)


def _with_table(objects: Sequence[str]) -> bytes:
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    out += "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    return (out + f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n").encode("latin-1")


def docx(paragraphs: Sequence[str]) -> bytes:
    """Return a Word document of plain paragraphs."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return zipped({"[Content_Types].xml": DOCX_TYPES, "_rels/.rels": DOCX_LINKS, "word/document.xml": document})


def zipped(members: Parts) -> bytes:
    """Return a zip file; members keep their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def epub(chapters: Parts, *, opf: str = "", members: Parts | None = None) -> bytes:
    """Return a book of chapters by href, in their order; `opf` replaces the package, `members` are added."""
    items = "".join(f'<item id="c{i}" href="{href}" media-type="{XHTML}"/>' for i, href in enumerate(chapters))
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    said = "<dc:title>The Log</dc:title><dc:creator>A. Keeper</dc:creator>"
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>{said}'
        f"</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    files = {f"OEBPS/{unquote(href)}": text for href, text in chapters.items()}
    fixed = {"mimetype": EPUB_TYPE, "META-INF/container.xml": EPUB_CONTAINER, "OEBPS/book.opf": opf or package}
    return zipped(fixed | files | dict(members or {}))
