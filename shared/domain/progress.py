"""How fast passages are embedded, told from marks of how many were done when; and how long the rest will take."""

from collections.abc import Iterable, Sequence

WINDOW = 300.0  # seconds that a pace looks back: what was before says nothing of now
APART = 5.0  # seconds between two marks that are both kept

Mark = Sequence[float]  # when, in seconds since the epoch, and how many were done by then


def marked(marks: Sequence[Mark], when: float, done: int) -> list[list[float]]:
    """Return marks with one more, without those that are too old or too near to the one before to say anything."""
    kept = [list(mark) for mark in marks if when - WINDOW <= mark[0] <= when]
    if len(kept) > 1 and kept[-1][0] - kept[-2][0] < APART:
        kept.pop()
    return [*kept, [when, done]]


def pace(several: Iterable[Sequence[Mark]], now: float) -> float | None:
    """Return the passages a second of several documents together; None where nothing was done of late."""
    recent = [[mark for mark in marks if mark[0] >= now - WINDOW] for marks in several]
    told = [marks for marks in recent if len(marks) > 1]
    if not told:
        return None
    advanced = sum(max(0.0, marks[-1][1] - marks[0][1]) for marks in told)
    return advanced / max(now - min(marks[0][0] for marks in told), 0.001) or None


def seconds_left(left: int | None, pace: float | None) -> float | None:
    """Return how long the rest takes at a pace; None where either is unknown."""
    if left == 0:
        return 0.0
    return None if left is None or pace is None else round(left / pace, 1)
