"""Lines of a PDF that are read from right to left, which its library gives from left to right as they are painted."""

import re
import unicodedata
from itertools import groupby

# A letter of the kinds below stands for each character of a line, so that runs can be found by expressions.
LEFT, RIGHT, NUMBER, SEPARATOR, UNIT, MARK, NEUTRAL = "LRDSTMN"
KINDS = {"L": LEFT, "R": RIGHT, "AL": RIGHT, "EN": NUMBER, "AN": NUMBER, "CS": SEPARATOR, "ES": SEPARATOR, "ET": UNIT}
KINDS |= {"NSM": MARK, "BN": MARK}
READ_FROM_THE_LEFT = re.compile("L(?:[^R]*[LD])?|T{0,2}D+(?:SD+)*T{0,2}")  # words of Latin and such; numbers
READ_FROM_THE_RIGHT = re.compile("R(?:[^L]*R)?")
MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
BRACKETS = {")": "(", "]": "[", "}": "{"}


def is_mostly_right_to_left(text: str) -> bool:
    """Say whether a page is in Hebrew, Arabic or another such script."""
    kinds = _kinds(text)
    return kinds.count(RIGHT) > kinds.count(LEFT)


def in_reading_order(line: str, *, page_is_right_to_left: bool) -> str:
    """Return a line as it is read; `line` is as the library gives it."""
    kinds = _kinds(line)
    if RIGHT not in kinds:
        return line
    painted = _painted(line, kinds)
    if page_is_right_to_left or _is_right_to_left(line):
        return _turned(painted)
    return _turned_within(painted)


def _kinds(text: str) -> str:
    return "".join([KINDS.get(unicodedata.bidirectional(letter), NEUTRAL) for letter in text])


def _is_right_to_left(line: str) -> bool:
    words = [_kinds(word) for word in line.split()]
    right = sum(RIGHT in word for word in words)
    left = sum(LEFT in word and RIGHT not in word for word in words)
    return right > left or (right == left and RIGHT in words[0] + words[-1])


def _painted(line: str, kinds: str) -> str:
    """Undo what the library did: each run of letters it turned round, and with it the signs that follow one."""
    out, start, after_right = [], 0, False
    for kind, run in groupby(kinds, lambda kind: kind if kind in (LEFT, RIGHT, NEUTRAL) else NUMBER):
        end = start + len(list(run))
        after_right = kind == RIGHT or (after_right and kind != LEFT)
        is_turned = after_right and kind != NUMBER
        out.append(line[start:end][::-1].translate(MIRRORED) if is_turned else line[start:end])
        start = end
    return "".join(out)


def _turned(painted: str) -> str:
    """Turn a painted line round, but for the words and numbers in it that are read from left to right."""
    parts, start, kinds = [], 0, _kinds(painted)
    for found in READ_FROM_THE_LEFT.finditer(kinds):
        end = _with_its_bracket(painted, found.start(), found.end())
        parts += [painted[start : found.start()][::-1].translate(MIRRORED), painted[found.start() : end]]
        start = end
    parts.append(painted[start:][::-1].translate(MIRRORED))
    return "".join(reversed(parts))


def _with_its_bracket(painted: str, start: int, end: int) -> int:
    opening = BRACKETS.get(painted[end : end + 1], "")
    return end + 1 if opening and painted.count(opening, start, end) > painted.count(painted[end], start, end) else end


def _turned_within(painted: str) -> str:
    """Turn round the parts of a line of Latin that are read from right to left."""
    parts, start = [], 0
    for found in READ_FROM_THE_RIGHT.finditer(_kinds(painted)):
        parts += [painted[start : found.start()], _turned(painted[found.start() : found.end()])]
        start = found.end()
    return "".join([*parts, painted[start:]])
