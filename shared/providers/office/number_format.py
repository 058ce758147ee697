"""A number as a spreadsheet shows it: dates, times, durations, percentages, money, by the format of its cell."""

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from shared.providers.office.date_format import is_moment, shown_moment

GENERAL = "General"
TOKEN = re.compile(
    r'"(?P<quoted>[^"]*+)"?|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*+)\]?|(?P<ampm>AM/PM|A/P)|(?P<general>General)'
    r"|(?P<exponent>E[+-])|(?P<date>y+|m+|d+|h+|s+|a{3,}|e+|g+)|(?P<end>;)|(?P<sign>[0#?.,%/@])|(?P<text>.)",
    re.IGNORECASE | re.DOTALL,
)
CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*+(-?[\d.]++)")
ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
MONEY = re.compile(r"\$([^-]*+)")
PLACES = frozenset("0#?")
LONGEST = 255  # characters of a format
EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
DAYS_TO_1904 = 1462
LARGEST = 10**21
MOST_PLACES = 30  # behind the point
WHOLE = 1 << 53  # up to which a whole number is exact
COMPARED = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<>": lambda a, b: a != b,
    "=": lambda a, b: a == b,
}
# Those that a file only counts; of a date that each country writes otherwise, the one that all understand.
BUILT_IN = {
    **{0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0", 6: "$#,##0", 7: "$#,##0.00"},
    **{8: "$#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd"},
    **{15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss"},
    **{22: "yyyy-mm-dd h:mm", 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00"},
    **{40: "#,##0.00;-#,##0.00", 41: "#,##0;-#,##0", 42: "$#,##0;-$#,##0", 43: "#,##0.00;-#,##0.00"},
    **{44: "$#,##0.00;-$#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@"},
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}


class Token(NamedTuple):
    """A piece of a format."""

    kind: str
    text: str


class Section(NamedTuple):
    """A part of a format, and for which numbers it is."""

    tokens: Sequence[Token]
    condition: tuple[str, float] | None


@lru_cache(maxsize=1 << 16)
def shown(value: float, code: str, *, since_1904: bool = False) -> str:
    """Return a number as a cell of this format shows it."""
    sections = _sections(code)
    section, told = _chosen(value, sections)
    if is_moment(section.tokens):
        lasts = any(token.kind == "elapsed" for token in section.tokens)
        days = value + DAYS_TO_1904 if since_1904 and not lasts else value
        return shown_moment(days, section.tokens) or general(value)
    return " ".join(_number(told, section.tokens).split()) or general(value)  # better shown than lost


def shown_text(text: str, code: str) -> str:
    """Return a text as a cell of this format shows it."""
    tokens = next((each.tokens for each in _sections(code) if Token("@", "@") in each.tokens), ())
    return "".join(text if token.kind == "@" else token.text for token in tokens) or text


def general(value: float) -> str:
    """Return a number as people write it, to the fifteen digits that it holds."""
    told = exact(value)
    if told and not -10 <= told.adjusted() <= 21:
        return f"{value:.15g}"
    written = f"{told:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def exact(value: float) -> Decimal:
    """Return the number that a file means: all digits of a whole one, else the fifteen that are sure."""
    value = float(value)
    return Decimal(int(value)) if value.is_integer() and abs(value) < WHOLE else Decimal(f"{value:.15g}")


@lru_cache(maxsize=1024)
def _sections(code: str) -> list[Section]:
    sections: list[list[Token]] = [[]]
    for token in _tokens(code[:LONGEST]):
        if token.kind == "end":
            sections.append([])
        else:
            sections[-1].append(token)
    return [Section([token for token in each if token.kind != "condition"], _condition(each)) for each in sections]


def _tokens(code: str) -> Iterator[Token]:
    for found in TOKEN.finditer(code):
        kind = found.lastgroup or ""
        if kind == "bracket":
            yield from _bracket(found["bracket"])
        elif kind in ("quoted", "escaped", "text"):
            yield Token("text", found[kind])
        elif kind == "sign":
            yield Token("place" if found[0] in PLACES else found[0], found[0])
        elif kind:
            yield Token(kind, found[0])


def _bracket(said: str) -> Iterator[Token]:
    if ELAPSED.fullmatch(said):
        yield Token("elapsed", said)
    elif found := MONEY.match(said):
        yield Token("text", found[1])
    elif CONDITION.fullmatch(said):
        yield Token("condition", said)


def _condition(tokens: Sequence[Token]) -> tuple[str, float] | None:
    said = next((CONDITION.fullmatch(token.text) for token in tokens if token.kind == "condition"), None)
    try:
        return (said[1], float(said[2])) if said else None
    except ValueError:
        return None


def _chosen(value: float, sections: Sequence[Section]) -> tuple[Section, float]:
    """Return the section for a number, and the number as that section tells it."""
    if any(section.condition for section in sections):
        fitting = (s for s in sections if s.condition is None or COMPARED[s.condition[0]](value, s.condition[1]))
        return next(fitting, sections[-1]), value
    if value < 0 and len(sections) > 1:
        return sections[1], -value
    return sections[2 if value == 0 and len(sections) > 2 else 0], value


def _number(value: float, tokens: Sequence[Token]) -> str:
    kinds = {token.kind for token in tokens}
    if kinds & {"general", "@"}:
        return "".join(general(value) if token.kind in ("general", "@") else token.text for token in tokens)
    if "place" not in kinds:
        return "".join(token.text for token in tokens)
    if "/" in kinds:
        return _fraction(value, tokens)
    told = exact(value).scaleb(2 * sum(token.kind == "%" for token in tokens))
    return _scientific(told, tokens) if "exponent" in kinds else _decimal(told, tokens)


def _decimal(value: Decimal, tokens: Sequence[Token]) -> str:
    point = next((at for at, token in enumerate(tokens) if token.kind == "."), len(tokens))
    whole, after = tokens[:point], tokens[point:]
    value = value.scaleb(-3 * (_thousands(whole) + _thousands(after)))
    places = min(sum(token.kind == "place" for token in after), MOST_PLACES)
    rounded = abs(value).quantize(Decimal(1).scaleb(-places), context=EXACT) if abs(value) < LARGEST else abs(value)
    integer, _, decimals = f"{rounded:f}".partition(".")
    sign = "-" if value < 0 and rounded else ""
    return sign + _whole(integer, whole) + _decimals(decimals, after)


def _thousands(whole: Sequence[Token]) -> int:
    """Count the commas behind the last digit, each of which leaves out three more."""
    last = max((at for at, token in enumerate(whole) if token.kind == "place"), default=0)
    return sum(token.kind == "," for token in whole[last:])


def _whole(digits: str, tokens: Sequence[Token]) -> str:
    """Put the digits of a whole number into their places, what is left of them before the first."""
    places = [at for at, token in enumerate(tokens) if token.kind == "place"]
    digits = digits.lstrip("0").rjust(sum(tokens[at].text == "0" for at in places), "0")
    grouped = any(token.kind == "," for token in tokens[places[0] : places[-1]]) if places else False
    if grouped:
        return _joined(tokens, {places[0]: f"{int(digits or 0):,}" if digits else ""})
    put = dict(zip(reversed(places), reversed(digits), strict=False))
    if places:
        put[places[0]] = digits[: max(len(digits) - len(places), 0)] + put.get(places[0], "")
    return _joined(tokens, put)


def _decimals(digits: str, tokens: Sequence[Token]) -> str:
    places = [at for at, token in enumerate(tokens) if token.kind == "place"]
    needed = max((number for number, at in enumerate(places, 1) if tokens[at].text == "0"), default=0)
    kept = digits[:needed] + digits[needed:].rstrip("0")
    point = {at: "." for at, token in enumerate(tokens) if token.kind == "." and kept}
    return _joined(tokens, point | dict(zip(places, kept, strict=False)))


def _joined(tokens: Sequence[Token], put: dict[int, str]) -> str:
    texts = (put.get(at, token.text if token.kind in ("text", "%") else "") for at, token in enumerate(tokens))
    return "".join(texts)


def _scientific(value: Decimal, tokens: Sequence[Token]) -> str:
    at = next(at for at, token in enumerate(tokens) if token.kind == "exponent")
    power = value.adjusted() if value else 0
    exponent = [token for token in tokens[at + 1 :] if token.kind == "place"]
    sign = "-" if power < 0 else "+" if tokens[at].text.endswith("+") else ""
    return f"{_decimal(value.scaleb(-power), tokens[:at])}E{sign}{abs(power):0{max(len(exponent), 1)}d}"


def _fraction(value: float, tokens: Sequence[Token]) -> str:
    at = next(at for at, token in enumerate(tokens) if token.kind == "/")
    below = "".join(token.text for token in tokens[at + 1 :] if token.kind in ("place", "text")).strip()
    told = Fraction(f"{abs(value):.15g}")
    if below.isdecimal() and int(below):
        fraction, named = Fraction(round(told * int(below)), int(below)), int(below)
    else:
        fraction = told.limit_denominator(10 ** max(below.count("?") + below.count("#"), 1) - 1)
        named = fraction.denominator
    whole, rest = divmod(fraction, 1)
    part = f"{int(rest * named)}/{named}" if rest else ""
    return ("-" if value < 0 else "") + (f"{whole} {part}".strip() if whole or not rest else part)
