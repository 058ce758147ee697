"""The numbers that an OpenDocument writes before the paragraphs of its lists and its headings."""

from typing import NamedTuple

from shared.providers.office.numerals import numeral
from shared.providers.office.package import Element, children, inside, local, reference

STYLES = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
BULLET = "-"
DEEPEST = 10


class Level(NamedTuple):
    """How one depth of a list counts; without a format it has no number."""

    format: str
    before: str
    after: str
    start: int
    shown: int
    is_bullet: bool


class Styles:
    """The styles of lists by name, and that of headings."""

    def __init__(self, *roots: Element) -> None:
        """Index the styles of some parts."""
        found = [each for root in roots for each in inside(root, "list-style")]
        self._lists = {reference(each, "name"): _levels(each) for each in found}
        outlines = [each for root in roots for each in inside(root, "outline-style")]
        self.outline = _levels(outlines[-1]) if outlines else {}

    def levels(self, name: str) -> dict[int, Level]:
        """Return how the depths of a list count, from 1."""
        return self._lists.get(name, {})


def _levels(style: Element) -> dict[int, Level]:
    return {number(reference(each, "level")): _level(each) for each in style if reference(each, "level")}


def _level(element: Element) -> Level:
    return Level(
        reference(element, "num-format"),
        reference(element, "num-prefix"),
        reference(element, "num-suffix"),
        number(reference(element, "start-value"), 1),
        number(reference(element, "display-levels"), 1),
        local(element) != "list-level-style-number" and local(element) != "outline-level-style",
    )


class Count:
    """The numbers of a list, or of the headings, as they come."""

    def __init__(self, levels: dict[int, Level]) -> None:
        """Begin before the first."""
        self._levels = levels
        self._counts: dict[int, int] = {}

    def restart(self, depth: int) -> None:
        """Begin a list within another anew."""
        self._counts.pop(depth, None)

    def label(self, depth: int, start: str = "") -> str:
        """Count, and return what stands before the paragraph; an unknown kind of list has a sign."""
        level = self._levels.get(depth)
        for deeper in [each for each in self._counts if each > depth]:
            del self._counts[deeper]
        first = number(start, -1) if start else -1
        begun = self._counts.get(depth)
        begins = level.start if level else 1
        self._counts[depth] = first if first >= 0 else begins if begun is None else begun + 1
        if level is None or level.is_bullet:
            return BULLET
        if not level.format:
            return ""
        return f"{level.before}{self._shown(depth, level)}{level.after}".strip()

    def _shown(self, depth: int, level: Level) -> str:
        places = range(max(depth - level.shown + 1, 1), depth + 1)
        return ".".join(self._one(place) for place in places if self._formatted(place))

    def _formatted(self, place: int) -> bool:
        level = self._levels.get(place)
        return level is not None and bool(level.format)

    def _one(self, place: int) -> str:
        level = self._levels[place]
        return numeral(self._counts.get(place, level.start), STYLES.get(level.format, "decimal"))


def number(said: str, default: int = 0) -> int:
    """Return a number as an attribute writes it."""
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 9 else default


def items(element: Element) -> list[Element]:
    """Return the items of a list, those without a number among them."""
    return children(element, "list-item", "list-header")
