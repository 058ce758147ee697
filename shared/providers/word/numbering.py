"""The numbers that Word writes before the paragraphs of lists and headings, which stand nowhere in its text."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from shared.providers.office.numerals import numeral
from shared.providers.office.package import Element, child, children, reference, value

BULLET, MARK = "bullet", "-"
PLACE = re.compile(r"%([1-9])")
DEEPEST = 9
DEEPEST_STYLE = 12
OFF = "0"


class Level(NamedTuple):
    """How one depth of a list counts."""

    style: str
    text: str
    start: int
    restarts: int
    in_digits: bool


class Label(NamedTuple):
    """What stands before a paragraph, and how deep it is in the list."""

    text: str
    depth: int


class Styles:
    """The styles of paragraphs, each with those that it is based on."""

    def __init__(self, root: Element | None) -> None:
        """Index the styles."""
        self._styles = {reference(style, "styleId"): style for style in children(root, "style")}
        self._chains: dict[str, list[Element]] = {}
        self._default = next((id for id, style in self._styles.items() if _is_default(style)), "")

    def chain(self, id: str) -> list[Element]:
        """Return a style and those that it is based on, the nearest first."""
        if id not in self._chains:
            self._chains[id] = list(self._based(id or self._default))
        return self._chains[id]

    def _based(self, id: str) -> Iterator[Element]:
        for _ in range(DEEPEST_STYLE):
            style = self._styles.get(id)
            if style is None:
                return
            yield style
            id = value(style, "basedOn")


def _is_default(style: Element) -> bool:
    return reference(style, "type") == "paragraph" and reference(style, "default") in ("1", "true")


class Lists:
    """The lists of a document, counted as its paragraphs come."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        """Index the lists."""
        self._styles = styles
        self._abstract = {reference(each, "abstractNumId"): each for each in children(root, "abstractNum")}
        self._lists = {reference(each, "numId"): each for each in children(root, "num")}
        self._levels: dict[str, list[Level]] = {}
        self._counts: dict[str, list[int]] = {}
        self._begun: set[str] = set()

    def label(self, look: Element | None, style: str) -> Label | None:
        """Count a paragraph and return what stands before it; None where that is nothing."""
        number, depth = self._place(look, style)
        if number in ("", OFF):
            return None
        levels = self._levels_of(number)
        if depth >= len(levels):
            return Label(MARK, depth)
        return Label(self._counted(number, levels, depth), depth)

    def _place(self, look: Element | None, style: str) -> tuple[str, int]:
        """Return the list and the depth of a paragraph, told by itself or by its style."""
        chain = self._styles.chain(style)
        places = [child(each, "numPr") for each in (look, *(child(each, "pPr") for each in chain))]
        number = next((value(each, "numId") for each in places if value(each, "numId")), "")
        depth = next((value(each, "ilvl") for each in places if value(each, "ilvl")), "")
        if not depth and number:
            depth = str(self._depth_of(number, [reference(each, "styleId") for each in chain]))
        return number, min(_number(depth), DEEPEST - 1)

    def _depth_of(self, number: str, styles: list[str]) -> int:
        """Return the depth whose paragraphs have one of these styles."""
        for level in children(self._source(number), "lvl"):
            if value(level, "pStyle") in styles:
                return _number(reference(level, "ilvl"))
        return 0

    def _source(self, number: str) -> Element | None:
        """Return what defines a list, which may be that of a style."""
        found = self._abstract.get(value(self._lists.get(number), "abstractNumId"))
        linked = value(found, "numStyleLink")
        if linked:
            named = (each for each in self._abstract.values() if value(each, "styleLink") == linked)
            return next(named, found)
        return found

    def _levels_of(self, number: str) -> list[Level]:
        if number not in self._levels:
            own = {reference(each, "ilvl"): each for each in children(self._lists.get(number), "lvlOverride")}
            levels = {reference(each, "ilvl"): each for each in children(self._source(number), "lvl")}
            levels |= {depth: level for depth, each in own.items() if (level := child(each, "lvl")) is not None}
            ordered = [levels.get(str(depth)) for depth in range(DEEPEST)]
            starts = {depth: value(each, "startOverride") for depth, each in own.items()}
            self._levels[number] = [_level(each, starts.get(str(at), "")) for at, each in enumerate(ordered)]
        return self._levels[number] if number in self._lists else []

    def _counted(self, number: str, levels: list[Level], depth: int) -> str:
        level = levels[depth]
        if level.style == BULLET:
            return MARK
        counts = self._counts.setdefault(self._counter(number), [0] * DEEPEST)
        for above in range(depth):
            counts[above] = counts[above] or levels[above].start
        counts[depth] = counts[depth] + 1 if counts[depth] else level.start
        for below in range(depth + 1, DEEPEST):
            counts[below] = 0 if levels[below].restarts and depth < levels[below].restarts else counts[below]
        return PLACE.sub(lambda found: _told(levels, counts, int(found[1]) - 1, level), level.text).strip()

    def _counter(self, number: str) -> str:
        """Return the name of the count: lists of one definition go on with it, unless one says where it starts."""
        starts_anew = any(value(each, "startOverride") for each in children(self._lists[number], "lvlOverride"))
        return f"own {number}" if starts_anew else value(self._lists[number], "abstractNumId")


def _told(levels: list[Level], counts: list[int], place: int, level: Level) -> str:
    style = "decimal" if level.in_digits else levels[place].style
    return "" if style == "none" else numeral(counts[place], style)


def _level(element: Element | None, start: str) -> Level:
    if element is None:
        return Level("decimal", "", 1, 0, False)
    text = value(element, "lvlText")
    restarts = value(element, "lvlRestart")
    depth = _number(reference(element, "ilvl"))
    digits = child(element, "isLgl")
    return Level(
        value(element, "numFmt") or "decimal",
        text,
        _number(start or value(element, "start") or "1"),
        _number(restarts) if restarts else depth,
        digits is not None and reference(digits, "val") not in ("0", "false"),
    )


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdigit() and len(said) < 9 else 0
