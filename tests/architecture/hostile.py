"""Texts that make a bad regular expression slow, out of the expression itself, and what finds a slow reader of them."""

import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, permutations
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as syntax  # type: ignore[attr-defined]
from typing import Any, NamedTuple

MEGABYTE = 1_000_000
SIZES = (4_000, 32_000, 250_000, MEGABYTE)
SLOWEST = 5  # texts that grow to a megabyte
MOST_ATOMS, MOST_BEGINNINGS, MOST_PARTS = 10, 16, 8
BETWEEN = (" ", ".", "-", "\n")  # what words that are repeated are parted by
ALWAYS = (" ", "\n", "a", "1", ".", "\u0301")
NEVER = "\0"
ENDS = ("", NEVER, f"\n{NEVER}")
SOME = {  # characters of each category, those that no other is of
    codes.CATEGORY_DIGIT: "1",
    codes.CATEGORY_NOT_DIGIT: "a",
    codes.CATEGORY_SPACE: " \n",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_WORD: "a1_",
    codes.CATEGORY_NOT_WORD: "- ",
}
BODY = {  # where, in what the parser says of a node, the sequences within it are
    codes.SUBPATTERN: lambda value: [value[3]],
    codes.BRANCH: lambda value: value[1],
    codes.ASSERT: lambda value: [value[1]],
    codes.ATOMIC_GROUP: lambda value: [value],
}
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


class Text(NamedTuple):
    """A beginning, what is repeated for as long as wanted, and an end that spoils it."""

    start: str
    repeated: str
    end: str = ""

    def of(self, size: int) -> str:
        """Write it out."""
        times = max(size - len(self.start) - len(self.end), 0) // len(self.repeated) + 1
        return self.start + self.repeated * times + self.end


def hostile_texts(pattern: re.Pattern[Any]) -> list[Text]:
    """Return texts of an expression's characters and of the beginnings of what it matches, repeated and broken off."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    nodes = syntax.parse(source, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    atoms = list(islice(dict.fromkeys([*_atoms(nodes), *ALWAYS]), MOST_ATOMS))
    whole = list(islice(dict.fromkeys(_samples(nodes)), MOST_BEGINNINGS))
    starts = list(dict.fromkeys(each[:end] for each in whole for end in range(1, len(each) + 1)))[: 6 * MOST_BEGINNINGS]
    return [
        *(Text(start, atom, end) for start in ("", *whole) for atom in atoms for end in ENDS),
        *(Text("", one + other, end) for one, other in permutations(atoms, 2) for end in ENDS),
        *(Text(start, part + between) for start in _before(nodes) for part in _longest(nodes) for between in BETWEEN),
        *(Text("", start + atom * times) for start in starts for atom in atoms[:4] for times in (0, 1, 100)),
    ]


def _before(nodes: Any) -> list[str]:
    """Return nothing, and what stands before each repeat at the top of an expression."""
    told = [next(_samples(nodes[:at]), "") for at, (kind, _) in enumerate(nodes) if kind in REPEATS]
    return list(dict.fromkeys(["", *told]))[:MOST_PARTS]


def _longest(nodes: Any) -> list[str]:
    """Return the longest of what the parts of an expression match, such as `1111` for four digits."""
    return sorted(dict.fromkeys(_words(nodes)), key=lambda part: -len(part))[:MOST_PARTS]


def _words(nodes: Any) -> Iterator[str]:
    for kind, value in nodes:
        if kind in REPEATS or kind in BODY:
            yield from filter(None, _parts(kind, value)[:2])
            for body in [value[2]] if kind in REPEATS else BODY[kind](value):
                yield from _words(body)


def _atoms(nodes: Any) -> Iterator[str]:
    """Yield characters that the parts of an expression match."""
    for kind, value in nodes:
        if kind in REPEATS:
            yield from _atoms(value[2])
        elif kind in BODY:
            for body in BODY[kind](value):
                yield from _atoms(body)
        else:
            yield from _characters(kind, value)


def _characters(kind: Any, value: Any) -> str:
    if kind is codes.LITERAL:
        return chr(value)
    if kind is codes.NOT_LITERAL:
        return next(each for each in "a1 " if ord(each) != value)
    if kind is codes.ANY:
        return "a"
    if kind is codes.IN:
        return _of_set(value)
    return ""


def _of_set(parts: Any) -> str:
    if parts[0][0] is codes.NEGATE:
        return "".join(each for each in "a1 -\n.é" if not re.match(NEVER, each) and not _in_set(each, parts[1:]))[:3]
    return "".join(_of_part(*part) for part in parts)[:4]


def _of_part(kind: Any, value: Any) -> str:
    if kind is codes.RANGE:
        return chr(value[0])
    return SOME.get(value, "") if kind is codes.CATEGORY else chr(value)


def _in_set(character: str, parts: Any) -> bool:
    return any(_in_part(character, *part) for part in parts)


def _in_part(character: str, kind: Any, value: Any) -> bool:
    if kind is codes.RANGE:
        return value[0] <= ord(character) <= value[1]
    return character in SOME.get(value, "") if kind is codes.CATEGORY else ord(character) == value


def _samples(nodes: Any) -> Iterator[str]:
    """Yield short texts that an expression matches, or nearly: its repeats once, each of its branches."""
    told = [""]
    for kind, value in nodes:
        told = [before + part for before in told for part in _parts(kind, value)][:MOST_BEGINNINGS]
    yield from told


def _parts(kind: Any, value: Any) -> list[str]:
    if kind in REPEATS:
        return [part * max(value[0], 1) for part in _samples(value[2])]
    if kind in BODY:
        return [part for body in BODY[kind](value) for part in _samples(body)]
    return [*_characters(kind, value)[:2]] or [""]


def growing_until_slow(read: Callable[[Any], object], texts: Iterable[Text], *, seconds: float = 1.0) -> Text | None:
    """Return the text of which a megabyte, or less, takes more than `seconds` of computing; None where none does.

    All are tried short, and the slowest of them longer and longer.
    """
    tried = list(texts)
    for size in SIZES:
        took = {text: _seconds(read, text.of(size), seconds) for text in tried}
        tried = sorted(tried, key=lambda text: -took[text])[:SLOWEST]
        if took[tried[0]] > seconds:
            return tried[0]
    return None


def _seconds(read: Callable[[Any], object], text: Any, most: float) -> float:
    started = time.process_time()
    with _given_up_after(3 * most):
        read(text)
    return time.process_time() - started


class _GivenUp(Exception):
    """It takes too long to wait for."""


@contextmanager
def _given_up_after(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise _GivenUp

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    except _GivenUp:
        pass
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
