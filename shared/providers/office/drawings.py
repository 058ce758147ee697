"""What is drawn in an Office document and read as text: the words in shapes, tables, diagrams and charts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shared.providers.office.formulas import formula
from shared.providers.office.number_format import GENERAL, shown
from shared.providers.office.numerals import numeral
from shared.providers.office.package import Element, Package, Unread, child, children, inside, local
from shared.providers.web.markdown import LONGEST_ADDRESS, Markdown, line_of

WIDEST = 50  # cells that one cell may stand for
FILE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".svg", ".emf", ".wmf", ".tif", ".tiff", ".webp")
AUTO_NUMBERS = {"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman"}
AROUND = {"ParenBoth": "(%s)", "ParenR": "%s)", "Period": "%s."}
LINKERS = frozenset({"pres", "parTrans", "sibTrans"})  # points of a diagram that only place others
DEEPEST = 9  # level of a list
LONGEST_NUMBER = 6  # digits
AXES = ("catAx", "dateAx", "valAx", "serAx")
LABELS, VALUES = ("cat", "xVal"), ("val", "yVal", "bubbleSize")


def words(element: Element) -> str:
    """Return the words of a paragraph, formulas among them."""
    kind = local(element)
    if kind == "t":
        return element.text or ""
    if kind == "br":
        return "\n"
    return formula(element) if kind == "oMath" else "".join(map(words, element))


def text_of(body: Element | None) -> str:
    """Return the paragraphs of a shape, those of a list with their numbers."""
    out: list[str] = []
    counts: dict[int, int] = {}
    was_item = False
    for paragraph in inside(body, "p"):
        text = "\n".join(filter(None, map(str.strip, words(paragraph).splitlines())))
        if text:
            mark = _mark(child(paragraph, "pPr"), counts)
            out += [("\n" if was_item and mark else "\n\n") if out else "", mark + text]
            was_item = bool(mark)
    return "".join(out)


def _mark(look: Element | None, counts: dict[int, int]) -> str:
    """Return what stands before a paragraph: its depth and its number or sign."""
    level = min(_whole(look.get("lvl", "0")), DEEPEST) if look is not None else 0
    auto = child(look, "buAutoNum")
    for deeper in [each for each in counts if each > level or (each == level and auto is None)]:
        del counts[deeper]
    if auto is not None:
        start = _whole(auto.get("startAt", "1")) or 1
        counts[level] = counts.get(level, start - 1) + 1
        return "  " * level + _numbered(counts[level], auto.get("type", "arabicPeriod")) + " "
    return "  " * level + "- " if child(look, "buChar") is not None or level else ""


def _numbered(number: int, kind: str) -> str:
    style = next((AUTO_NUMBERS[each] for each in AUTO_NUMBERS if kind.startswith(each)), "decimal")
    return next((AROUND[each] for each in AROUND if kind.endswith(each)), "%s") % numeral(number, style)


def _whole(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= LONGEST_NUMBER else 0


def said_of_picture(about: Element | None) -> str:
    """Return what is said instead of a picture; many programs put the name of its file there."""
    said = about.get("descr", "").strip() if about is not None else ""
    return "" if said.lower().endswith(FILE_NAMES) else said


def link(text: str, address: str) -> str:
    """Return a link as Markdown where it leads out and says something; else its words alone."""
    useful = address.startswith(("http://", "https://")) and len(address) <= LONGEST_ADDRESS
    safe = useful and text.strip() not in ("", address) and not any(sign in address for sign in " ()<>")
    return f"[{text}]({address})" if safe else text


def row_of(cells: Iterable[str]) -> str:
    """Return the texts of cells as a row of a table."""
    return line_of(map(_cell, cells))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table of Markdown, of which the first are the headings."""
    filled = [row for row in rows if any(row)]
    width = max(map(len, filled), default=0)
    lines = [[_cell(text) for text in row] + [""] * (width - len(row)) for row in filled]
    out = Markdown()
    if lines:
        out.table(lines[0], lines[1:])
    return out.text()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def table_of(element: Element) -> str:
    """Return a table of a slide; what is merged is said in each of its cells."""
    rows: list[list[str]] = []
    for row in children(element, "tr"):
        line: list[str] = []
        for at, cell in enumerate(children(row, "tc")):
            text = text_of(child(cell, "txBody"))
            if cell.get("vMerge") in ("1", "true") and rows and at < len(rows[-1]):
                text = rows[-1][at]
            elif cell.get("hMerge") in ("1", "true") and line:
                text = line[-1]
            line.append(text)
        rows.append(line)
    return table(rows)


def diagram(package: Package, part: str) -> str:
    """Return the words of a diagram, a point a line; raises Unread."""
    points = [point for point in inside(package.tree(part), "pt") if point.get("type", "node") not in LINKERS]
    said = (" ".join(text_of(child(point, "t")).split()) for point in points)
    return "\n".join(f"- {each}" for each in said if each)


class Series(NamedTuple):
    """A row of values in a chart, each at its place."""

    name: str
    labels: dict[str, str]
    values: list[dict[str, str]]


def chart(package: Package, part: str) -> str:
    """Return a chart's titles, labels and values; raises Unread for one without any."""
    root = package.tree(part)
    series = list(map(_series, inside(root, "ser"))) or list(_newer_series(root))
    titles = _titles(root)
    labels = [text_of(rich) for label in inside(root, "dLbl") for rich in inside(label, "rich")]
    blocks = [*titles, *_tables(series), *labels]
    text = "\n\n".join(filter(None, (each.strip() for each in blocks)))
    if not any(each.values for each in series):
        raise Unread("its values are not in the file" + (f" (it is named {titles[0]})" if titles[0] else ""))
    return text


def chart_titles(package: Package, part: str) -> str:
    """Return the titles of a chart whose values stand beside it; raises Unread."""
    return "\n\n".join(filter(None, _titles(package.tree(part))))


def _titles(root: Element) -> list[str]:
    """Return the title of a chart and those of its axes."""
    axes = inside(child(root, "chart", "plotArea"), *AXES)
    return [_title(child(root, "chart", "title")), *(_title(child(axis, "title")) for axis in axes)]


def _title(element: Element | None) -> str:
    if element is None:
        return ""
    return " ".join(text_of(element).split()) or " ".join(_points(element).values())


def _series(element: Element) -> Series:
    name = child(element, "tx")
    labels = next(iter(children(element, *LABELS)), None)
    values = [_points(each) for each in children(element, *VALUES)]
    return Series(" ".join(_points(name).values()), _points(labels), [each for each in values if each])


def _points(element: Element | None) -> dict[str, str]:
    """Return what a chart keeps of the cells that it shows; of labels on several levels, all of them."""
    found: dict[str, str] = {}
    for cache in inside(element, "strCache", "numCache", "strLit", "numLit", "lvl"):
        told = _cached(cache)
        found = _with_level(found, told) if found else told
    if not found and element is not None:
        found = {str(at): each.text or "" for at, each in enumerate(children(element, "v"))}
    return found


def _cached(cache: Element) -> dict[str, str]:
    code = next((each.text or GENERAL for each in children(cache, "formatCode")), GENERAL)
    return {
        point.get("idx", ""): _shown(
            "".join(each.text or "" for each in children(point, "v")), point.get("formatCode", code)
        )
        for point in children(cache, "pt")
    }


def _with_level(labels: dict[str, str], above: dict[str, str]) -> dict[str, str]:
    """Put before each label the one of the level above, which goes on until the next."""
    told, last = {}, ""
    for at, label in labels.items():
        last = above.get(at, last)
        told[at] = f"{last} {label}".strip()
    return told


def _shown(said: str, code: str) -> str:
    try:
        return said if code == GENERAL else shown(float(said), code)
    except (ValueError, ArithmeticError):
        return said


def _tables(series: Sequence[Series]) -> Iterator[str]:
    """Put series of the same labels side by side."""
    alike: dict[tuple[str, ...], list[Series]] = {}
    for each in series:
        alike.setdefault(tuple(each.labels.values()), []).append(each)
    for group in alike.values():
        places = sorted({at for each in group for values in each.values for at in values}, key=lambda at: (len(at), at))
        columns = [(each.name, values) for each in group for values in each.values]
        head = ["", *(name for name, _ in columns)]
        rows = [[group[0].labels.get(at, ""), *(values.get(at, "") for _, values in columns)] for at in places]
        yield table([head, *rows] if any(head) else [["", *(["value"] * len(columns))], *rows])


def _newer_series(root: Element) -> Iterator[Series]:
    """Return the data of a chart of a newer kind, such as a waterfall or a funnel."""
    names = [" ".join((each.text or "").strip() for each in inside(tx, "v")) for tx in inside(root, "tx")]
    for number, data in enumerate(inside(root, "data")):
        dimensions = [
            {
                point.get("idx", ""): point.text or ""
                for level in children(each, "lvl")
                for point in children(level, "pt")
            }
            for each in children(data, "strDim", "numDim")
        ]
        labels = dimensions[0] if len(dimensions) > 1 else {}
        values = [each for each in dimensions[1 if labels else 0 :] if each]
        yield Series(names[number] if number < len(names) else "", labels, values)
