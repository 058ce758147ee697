"""No example of the seed documents is forgotten."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.conformance.inventory import BLOCKS, RUN

pytestmark = pytest.mark.capability("C183")

HERE = Path(__file__).parent
EVERY_BLOCK = {(seed, number) for seed, lines in BLOCKS.items() for number in range(1, len(lines) + 1)}


def exempt() -> dict[tuple[str, int], str]:
    whole_blocks, _, _ = (HERE / "EXEMPT.md").read_text().partition("Single lines")
    rows = re.findall(r"^\| (\d{3}) \| (\d+) \| `(.+)` \| .+ \|$", whole_blocks, re.MULTILINE)
    return {(seed, int(number)): first_line for seed, number, first_line in rows}


def run() -> set[tuple[str, int]]:
    for path in HERE.glob("test_seed_*.py"):
        import_module(f"tests.conformance.{path.stem}")
    return RUN


def test_every_block_is_either_run_or_exempt():
    assert run() | exempt().keys() == EVERY_BLOCK
    assert run() & exempt().keys() == set()


def test_the_exempt_blocks_are_the_ones_they_say():
    assert all(BLOCKS[seed][number - 1] == first_line for (seed, number), first_line in exempt().items())
