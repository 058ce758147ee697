"""Small Office documents, made of parts and the links between them."""

from collections.abc import Mapping, Sequence

from tests.fakes.documents import zipped

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
FORMATS = "application/vnd.openxmlformats-officedocument."
SPACES = f'xmlns:p="{SLIDES}" xmlns:a="{DRAWING}" xmlns:r="{LINK}" xmlns:c="{CHART}" xmlns:dgm="{DIAGRAM}"'

Linked = Mapping[str, tuple[str, str]]  # by id, what a part links to: a kind and a name


def links(linked: Linked) -> str:
    """Return the links of a part; the names begin with a slash."""
    each = (f'<Relationship Id="{id}" Target="{to}" Type="{LINK}/{kind}"/>' for id, (kind, to) in linked.items())
    return f'<Relationships xmlns="{LINKS}">{"".join(each)}</Relationships>'


def package(main: str, kind: str, parts: Mapping[str, str | bytes]) -> bytes:
    """Return a document whose main part has this name and kind."""
    types = f'<Types xmlns="{TYPES}"><Override PartName="/{main}" ContentType="{FORMATS}{kind}.main+xml"/></Types>'
    root = links({"r1": ("officeDocument", f"/{main}")})
    return zipped({"[Content_Types].xml": types, "_rels/.rels": root, **parts})


def shape(text: str, place: str = "", look: str = "") -> str:
    """Return a shape of paragraphs, one a line."""
    at = f'<p:nvSpPr><p:nvPr><p:ph type="{place}"/></p:nvPr></p:nvSpPr>' if place else ""
    lines = "".join(f"<a:p><a:pPr>{look}</a:pPr><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp>{at}<p:txBody>{lines}</p:txBody></p:sp>"


def frame(inside: str) -> str:
    """Return what is drawn within a frame on a slide: a table, a chart, a diagram."""
    return f"<p:graphicFrame><a:graphic><a:graphicData>{inside}</a:graphicData></a:graphic></p:graphicFrame>"


def slide(shapes: str, kind: str = "sld") -> str:
    """Return a slide, or the notes of one."""
    return f"<p:{kind} {SPACES}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{kind}>"


def deck(slides: Sequence[str], linked: Linked, parts: Mapping[str, str | bytes]) -> bytes:
    """Return a presentation; each of its slides links to the same other parts."""
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    main = f"<p:presentation {SPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
    own = {f"s{n}": ("slide", f"/ppt/slides/s{n}.xml") for n in range(len(slides))}
    made = {"ppt/presentation.xml": main, "ppt/_rels/presentation.xml.rels": links(own)}
    made |= {f"ppt/slides/s{n}.xml": each for n, each in enumerate(slides)}
    made |= {f"ppt/slides/_rels/s{n}.xml.rels": links(linked) for n in range(len(slides))}
    return package("ppt/presentation.xml", "presentationml.presentation", made | dict(parts))


def book(sheets: Mapping[str, str], *, parts: Mapping[str, str | bytes] | None = None, about: str = "") -> bytes:
    """Return a workbook of sheets by name; one whose name begins with a dash is hidden."""
    names = "".join(
        f'<sheet name="{name.lstrip("-")}" r:id="s{n}" state="{"hidden" if name[0] == "-" else "visible"}"/>'
        for n, name in enumerate(sheets)
    )
    main = f'<workbook xmlns="{SHEET}" xmlns:r="{LINK}">{about}<sheets>{names}</sheets></workbook>'
    linked = {f"s{n}": ("worksheet", f"/xl/s{n}.xml") for n in range(len(sheets))}
    linked |= {"t": ("sharedStrings", "/xl/texts.xml"), "f": ("styles", "/xl/styles.xml")}
    made = {"xl/workbook.xml": main, "xl/_rels/workbook.xml.rels": links(linked)}
    made |= {
        f"xl/s{n}.xml": f'<worksheet xmlns="{SHEET}" xmlns:r="{LINK}">{each}</worksheet>'
        for n, each in enumerate(sheets.values())
    }
    made |= {"xl/texts.xml": f'<sst xmlns="{SHEET}"/>', "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"/>'}
    return package("xl/workbook.xml", "spreadsheetml.sheet", made | dict(parts or {}))
