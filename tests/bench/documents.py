"""Documents to ingest: Markdown of some ten passages each, the same bytes for everybody and every run of a seed."""

import random
from collections.abc import Iterator
from pathlib import Path

SECTIONS = 5
SENTENCES = 15
SYLLABLES = [first + second for first in "bcdfglmnprstv" for second in ("a", "e", "i", "o", "u", "ar", "en", "is")]


def write(folder: Path, count: int, seed: int) -> list[Path]:
    """Write that many documents into a new folder; return their paths."""
    folder.mkdir()
    chance = random.Random(seed)
    return [_written(folder / f"{number:04}.md", chance) for number in range(count)]


def _written(path: Path, chance: random.Random) -> Path:
    path.write_text("\n\n".join(_paragraphs(chance)), encoding="utf-8")
    return path


def _paragraphs(chance: random.Random) -> Iterator[str]:
    yield f"# {_sentence(chance, 5)}"
    for _ in range(SECTIONS):
        yield f"## {_sentence(chance, 4)}"
        yield " ".join(f"{_sentence(chance, chance.randint(8, 18))}." for _ in range(SENTENCES))


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join("".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(words)).capitalize()
