"""A moment or a duration as a spreadsheet shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

DAY = 86_400  # seconds
FIRST = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet knows no time zone
LEAP_1900 = 60  # the day that a sheet counts and no calendar has
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


class Token(Protocol):
    """A piece of a format."""

    @property
    def kind(self) -> str:
        """What it is."""

    @property
    def text(self) -> str:
        """How it is written."""


def is_moment(tokens: Sequence[Token]) -> bool:
    """Say whether a format shows a moment or a duration."""
    return any(token.kind in ("date", "elapsed") for token in tokens)


def shown_moment(days: float, tokens: Sequence[Token]) -> str:
    """Return a number of days as a date, a time or a duration; nothing where there is no such date."""
    places = _places_of_seconds(tokens)
    total = round(abs(days) * DAY, places)
    elapsed = any(token.kind == "elapsed" for token in tokens)
    if days < 0 and not elapsed:
        return ""
    try:
        moment = FIRST + timedelta(seconds=total, days=1 if total < LEAP_1900 * DAY and total >= DAY else 0)
    except OverflowError:
        return ""
    told = "".join(_told(at, tokens, moment, total, places) for at in range(len(tokens)))
    return ("-" if days < 0 else "") + " ".join(told.split())


def _places_of_seconds(tokens: Sequence[Token]) -> int:
    point = next((at for at, token in enumerate(tokens) if token.kind == "."), len(tokens))
    places = sum(token.kind == "place" for token in tokens[point:])
    return min(places, 3)


def _told(at: int, tokens: Sequence[Token], moment: datetime, total: float, places: int) -> str:
    token = tokens[at]
    letter, width = token.text[:1].lower(), len(token.text)
    if token.kind == "elapsed":
        return f"{int(total // {'h': 3600, 'm': 60, 's': 1}[letter]):0{width}d}"
    if token.kind == "ampm":
        return "AM" if moment.hour < 12 else "PM"
    if token.kind == "." and places:
        return f"{total % 1:.{places}f}"[1:]
    if token.kind == "date":
        minutes = letter == "m" and width <= 2 and _is_minute(at, tokens)
        return _clock(letter, width, moment, tokens) if letter in "hs" or minutes else _calendar(letter, width, moment)
    return token.text if token.kind in ("text", "/", ",", ".") else ""


def _is_minute(at: int, tokens: Sequence[Token]) -> bool:
    """Say whether an m stands for minutes: behind the hours, or before the seconds."""
    timed = [place for place, token in enumerate(tokens) if token.kind in ("date", "elapsed")]
    number = timed.index(at)
    before = tokens[timed[number - 1]].text[0].lower() if number else ""
    after = tokens[timed[number + 1]].text[0].lower() if number + 1 < len(timed) else ""
    return before == "h" or after == "s"


def _clock(letter: str, width: int, moment: datetime, tokens: Sequence[Token]) -> str:
    if letter == "h":
        of_twelve = any(token.kind == "ampm" for token in tokens)
        hour = (moment.hour % 12 or 12) if of_twelve else moment.hour
        return f"{hour:0{min(width, 2)}d}"
    return f"{moment.minute if letter == 'm' else moment.second:0{min(width, 2)}d}"


def _calendar(letter: str, width: int, moment: datetime) -> str:
    if letter in "ye":
        return f"{moment.year % 100:02d}" if letter == "y" and width <= 2 else str(moment.year)
    if letter == "m":
        return _named(MONTHS[moment.month - 1], moment.month, width)
    if letter in "da":
        return _named(DAYS[moment.weekday()], moment.day, width)
    return ""


def _named(name: str, number: int, width: int) -> str:
    if width <= 2:
        return f"{number:0{width}d}"
    return {3: name[:3], 5: name[:1]}.get(width, name)
