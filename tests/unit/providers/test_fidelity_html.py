"""The words of a web page come out whole and in order, however they are marked up; nothing else of the page does."""

import html.entities
import random
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from itertools import islice

import pytest

from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import HTML

SHARE = 0.99
COUNT = 500
LANGUAGES = {
    "English": 'lamp keeper harbour gull ERR-4711 fog 12.5 & < mast\'s "salt" the a of storm 1890 C++ a_b x*y',
    "Romanian": "farul țărm șapte înainte ceață mâine pescăruș și la 25% ploaie",
    "French": "près élèves l'été naïve où châtelaine œuvre 5 € façade « là »",
    "Russian": "журнал маяка туман корабль огонь ночи смотритель 1905",
    "Greek": "φάρος θάλασσα νύχτα πλοίο ομίχλη και",
    "Hebrew": "מגדלור ים לילה ספינה ערפל אור",
    "Arabic": "منارة بحر ليل سفينة ضباب",
    "Chinese": "灯塔 大海 夜晚 船只 雾",
    "Japanese": "灯台守 日誌 カモメ 霧が晴れ",
    "Hindi": "प्रकाशस्तंभ समुद्र रात जहाज",
}
ENTITIES: dict[str, Callable[[str], str]] = {
    "raw": html.escape,
    "decimal": lambda word: "".join(f"&#{ord(letter)};" for letter in word),
    "hexadecimal": lambda word: "".join(f"&#x{ord(letter):X};" for letter in word),
    "named": lambda word: "".join(NAMED.get(letter, letter) for letter in word),
}
NAMED = {sign: f"&{name}" for name, sign in html.entities.html5.items() if name.endswith(";") and len(sign) == 1}
NOISE = (
    "<script>var noise = '<p>noise</p>'</script>",
    "<style>.noise { color: red }</style>",
    "<!-- noise <p>noise</p> -->",
    "<nav><ul><li><a href=/noise>noise</a></ul></nav>",
    "<dialog>noise <p>noise</p></dialog>",
    "<div hidden><a href=/noise>noise</a></div>",
    "<span style='display: none'>noise</span>",
    '<img src="data:image/png;base64,noise+noise" alt="">',
    "<svg><path d='noise'/></svg>",
    "<template><p>noise</p></template>",
)


MARKS = ("{}", "<b>{}</b>", "<a href=/x>{}</a>", "<span><i>{}</i></span>", "{}<br>", "<q>{}</q>", "<em>{}")


class Author:
    """Writes words into a page."""

    def __init__(self, vocabulary: str, escape: Callable[[str], str], ends: bool) -> None:
        self._dice = random.Random(11)
        self.said = self._dice.choices(vocabulary.split(), k=COUNT)
        self._words: Iterator[str] = iter(map(escape, self.said))
        self._ends = ends

    def page(self) -> str:
        parts = ["<!doctype html><html><head><meta charset=utf-8><title>noise</title></head><body>"]
        while part := self._block(0):
            parts += [part, self._dice.choice(NOISE)]
        return "".join(parts)

    def _some(self, most: int = 9) -> str:
        words = list(islice(self._words, self._dice.randint(1, most)))
        mark = self._dice.choice(MARKS)
        return " ".join([*words[:-1], mark.format(words[-1])]) if words else ""

    def _block(self, depth: int) -> str:
        kinds = [self._paragraph, self._list, self._table, self._heading, self._definitions, self._code]
        nested = [self._wrapped] * 4 if depth < 90 else []
        return self._dice.choice(kinds + nested)(depth + 1)

    def _end(self, name: str) -> str:
        return f"</{name}>" if self._ends else ""

    def _paragraph(self, _: int) -> str:
        words = self._some()
        return f"<P class='a>b'>{words}{self._end('p')}" if words else ""

    def _heading(self, _: int) -> str:
        words = self._some(4)
        level = self._dice.randint(1, 6)
        return f"<h{level}>{words}</h{level}>" if words else ""

    def _code(self, _: int) -> str:
        words = self._some()
        return f"<pre><code>{words}</code></pre>" if words else ""

    def _list(self, depth: int) -> str:
        items = [f"<li>{self._some()}{self._end('li')}" for _ in range(3)]
        inner = f"<li>{self._some()}{self._list(depth + 1)}{self._end('li')}" if depth < 6 else ""
        name = self._dice.choice(["ul", "ol"])
        return f"<{name}>{''.join(items)}{inner}</{name}>" if items[0] != f"<li>{self._end('li')}" else ""

    def _definitions(self, _: int) -> str:
        words = self._some(2)
        return f"<dl><dt>{words}{self._end('dt')}<dd>{self._some()}{self._end('dd')}</dl>" if words else ""

    def _table(self, _: int) -> str:
        first = self._row("th")
        rows = first + "".join(self._row("td") for _ in range(self._dice.randint(1, 6)))
        return f"<table><tbody>{rows}</table>"

    def _row(self, cell: str) -> str:
        cells = "".join(f"<{cell}>{self._some(3)}{self._end(cell)}" for _ in range(3))
        return f"<tr>{cells}{self._end('tr')}"

    def _wrapped(self, depth: int) -> str:
        wrapper = self._dice.choice(["div", "section", "blockquote", "article", "center", "table><tr><td", "x-card"])
        closing = "".join(f"</{name}>" for name in reversed(wrapper.replace("<", "").split(">")))
        return f"<{wrapper}>{self._some()}{self._block(depth)}{self._some()}{closing}"


def letters(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def share_in_order(said: list[str], read: list[str]) -> float:
    blocks = SequenceMatcher(None, said, read, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(said)


@pytest.mark.parametrize("ends", [True, False], ids=["with end tags", "without end tags"])
@pytest.mark.parametrize("entities", ENTITIES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_come_out_in_order_and_nothing_else(language: str, entities: str, ends: bool) -> None:
    author = Author(LANGUAGES[language], ENTITIES[entities], ends)
    read = KreuzbergParser().parse(author.page().encode(), HTML).text
    assert share_in_order(letters(" ".join(author.said)), letters(read)) >= SHARE
    assert "noise" not in read
