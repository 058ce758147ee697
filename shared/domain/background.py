"""What all vectors of a model have in common, and what is left of a question without it. Pure.

Cosines of some models are crowded: any two texts of one language are alike, and any question is like any question. How
much, is measured (`python -m tests.bench.relevance`): by sentences and questions about anything, in ten languages.
"""

import math
import struct
from base64 import b85decode
from collections.abc import Sequence
from typing import NamedTuple

Vector = Sequence[float]
SUBJECT = 0.5  # what a question's difference from any question weighs, beside the part of it that is of no language


class Aim(NamedTuple):
    """A direction, the cosine to it from which on a passage has to do with the question, and its rise among more."""

    vector: list[float]
    least: float
    rise: float  # for each tenfold of passages


class Background(NamedTuple):
    """The mean of questions and of sentences about anything, and the unit directions in which languages differ."""

    asked: Vector
    told: Vector
    languages: Sequence[Vector]
    least: float = 0.125  # by how much a passage must be nearer than any sentence is, if it is the only one
    rise: float = 0.015  # for each tenfold of passages: the nearest of many that are about something else is nearer

    def aim(self, question: Vector) -> Aim:
        """Return where passages about a question are, in whatever language they are written."""
        own = [number - common for number, common in zip(question, self.asked, strict=True)]
        meant = own
        for language in self.languages:
            share = _dot(own, language)
            meant = [number - share * along for number, along in zip(meant, language, strict=True)]
        length = math.hypot(*meant) or 1.0
        meant = [number / length for number in meant]
        vector = [number + SUBJECT * part for number, part in zip(meant, own, strict=True)]
        scale = math.hypot(*vector) or 1.0
        return Aim(vector, (self.least + _dot(meant, self.told)) / scale, self.rise / scale)


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def unpacked(packed: str) -> Background:
    """Return a background out of half floats: its means, then its languages' directions."""
    numbers = struct.unpack(f"<{len(b85decode(packed)) // 2}e", b85decode(packed))
    size = len(numbers) // ROWS
    asked, told, *languages = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    return Background(asked, told, languages)


ROWS = 11  # two means, and the nine directions in which ten languages differ


def packed(rows: Sequence[Vector]) -> bytes:
    """Return the half floats of a background's rows."""
    return b"".join(struct.pack(f"<{len(row)}e", *row) for row in rows)
