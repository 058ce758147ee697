"""Writes Markdown, word by word: paragraphs, headings, lists, quotations, links, code and tables."""

from collections.abc import Iterable, Sequence

NOTHING, SPACE, LINE, PARAGRAPH = range(4)
SIGNS = "+-\N{MINUS SIGN}"
FENCE = "```\n"
LONGEST_ADDRESS = 200  # characters; what is longer was made for machines
DEEPEST_QUOTE, DEEPEST_LIST = 3, 8  # deeper ones are written like these


def line_of(cells: Iterable[str]) -> str:
    """Return cells as a row of a table."""
    return f"| {' | '.join(cells)} |"


class Markdown:
    """A text in the making; `flat` for one that must fit on a line."""

    def __init__(self, flat: bool = False) -> None:
        self._flat = flat
        self._out: list[str] = []
        self._gap = NOTHING
        self._mark = ""
        self._quotes = 0
        self._lists: list[int] = []  # the next number, 0 without
        self._link: tuple[int, str] | None = None  # where its words begin, -1 before the first
        self._raised = False
        self.code = False

    def text(self) -> str:
        """Return what was written."""
        return "".join(self._out)

    def gap(self, size: int) -> None:
        """Leave a space, end the line or the paragraph, once something follows."""
        self._gap = max(self._gap, size)

    def words(self, text: str) -> None:
        """Write words, with single spaces between them; in code, as they are."""
        if self.code:
            self._put(text.removeprefix("\n") if self._out[-1] == FENCE else text)
            return
        self.gap(SPACE if text[:1].isspace() else NOTHING)
        if inner := " ".join(text.split()):
            self._put(inner)
            self.gap(SPACE if text[-1:].isspace() else NOTHING)

    def line_end(self) -> None:
        """End the line; twice, the paragraph."""
        if self.code:
            self._out.append("\n")
        else:
            self._gap = PARAGRAPH if self._gap >= LINE else LINE

    def heading(self, level: int) -> None:
        """Begin a heading."""
        self.gap(PARAGRAPH)
        self._mark += "#" * level + " "

    def end(self, size: int) -> None:
        """End a heading or an item; one without words leaves no mark."""
        self._mark = ""
        self.gap(size)

    def quote(self, deeper: int) -> None:
        """Go into a quotation, or out of one."""
        self.gap(PARAGRAPH)
        self._quotes = max(0, self._quotes + deeper)

    def begin_list(self, first: int) -> None:
        """Go into a list; `first` is 0 for one without numbers."""
        self.gap(LINE if self._lists else PARAGRAPH)
        self._lists.append(first)

    def end_list(self) -> None:
        """Go out of a list."""
        if self._lists:
            self._lists.pop()
        self.end(LINE if self._lists else PARAGRAPH)

    def item(self) -> None:
        """Begin an item of the list."""
        self.gap(LINE)
        number = self._lists[-1] if self._lists else 0
        self._mark = f"{number}. " if number else "- "
        if number:
            self._lists[-1] += 1

    def raised(self) -> None:
        """Mark what follows as raised, where it would be read as part of a number or word otherwise."""
        self._raised = True

    def begin_link(self, address: str) -> None:
        """Begin a link, ending the one before."""
        self.end_link()
        self._link = (-1, address) if address and not self._flat else None

    def end_link(self) -> None:
        """Write the link, unless it is empty or longer than a line."""
        place, address = self._link or (-1, "")
        self._link = None
        words = "".join(self._out[place:]) if place >= 0 else ""
        if words and "\n" not in words and words != address:
            self._out[place:] = [f"[{words}]({address})"]

    def fence(self, begins: bool) -> None:
        """Begin or end code, whose lines stay as they are."""
        if self._flat or begins == self.code:
            return
        self.code = begins
        if begins:
            self.gap(PARAGRAPH)
            self._put(FENCE)
        else:
            self._out.append(FENCE[:-1] if self._out[-1].endswith("\n") else f"\n{FENCE[:-1]}")
            self._gap = PARAGRAPH

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table."""
        self.gap(PARAGRAPH)
        for cells in (head, ["---"] * len(head), *rows):
            self._put(line_of(cells))
            self.gap(LINE)
        self.gap(PARAGRAPH)

    def _put(self, text: str) -> None:
        begins = not self._out or self._gap >= LINE
        if self._flat:
            self._out.append(" " if self._out and self._gap else "")
        elif self._out:
            self._out.append(("", " ", "\n", "\n\n")[self._gap])
        self._out.append(self._beginning() if begins and not self._flat else self._raise(text))
        if self._link and self._link[0] < 0:
            self._link = (len(self._out), self._link[1])
        self._out.append(text)
        self._gap, self._mark, self._raised = NOTHING, "", False

    def _raise(self, text: str) -> str:
        before = self._out[-2][-1:] if len(self._out) > 1 and not self._gap else ""
        return "^" if self._raised and before.isalnum() and (text[0].isdigit() or text[0] in SIGNS) else ""

    def _beginning(self) -> str:
        """Return what a line begins with: how deep it is in quotations and lists, and its mark."""
        deep = self._lists[:DEEPEST_LIST]
        widths = [3 if number else 2 for number in (deep[:-1] if self._mark else deep)]
        return "> " * min(self._quotes, DEEPEST_QUOTE) + " " * sum(widths) + self._mark
