"""The benchmarks, which no other check runs: they import what there is, and count what fails."""

import ast
import importlib
import math
import sys
from collections.abc import Sequence
from itertools import count
from types import ModuleType

import httpx
import pytest

from tests.architecture.sources import Source, sources
from tests.bench.turns import ROUNDS, Target

PEER = "llama_index"  # installed in an environment of its own


class Elsewhere(ModuleType):
    """A module that has a class of every name."""

    def __getattr__(self, name: str) -> type:
        return type(name, (), {})


@pytest.mark.parametrize("source", sources("tests/bench"), ids=lambda source: source.path)
def test_every_benchmark_can_be_imported(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for node in source.find(ast.ImportFrom):
        if node.module.startswith(PEER):
            monkeypatch.setitem(sys.modules, node.module, Elsewhere(node.module))
    assert importlib.import_module(source.path.removesuffix(".py").replace("/", "."))


def streaming(*failing: int) -> httpx.MockTransport:
    """Stream an answer to its end, but cut those of these numbers, from 0."""
    numbers = count()

    def answer(_: httpx.Request) -> httpx.Response:
        if next(numbers) in failing:
            raise httpx.ReadError("the stream was cut")
        return httpx.Response(200, text="first\nlast\n")

    return httpx.MockTransport(answer)


@pytest.mark.parametrize(
    ("failing", "failed", "finite"),
    [
        pytest.param([], 0, (True, True), id="none fails"),
        pytest.param([1], 1, (True, False), id="one fails"),
        pytest.param(range(9), ROUNDS, (False, False), id="all fail"),
    ],
)
def test_a_stream_that_fails_took_for_ever(failing: Sequence[int], failed: int, finite: tuple[bool, bool]) -> None:
    with httpx.Client(transport=streaming(*failing)) as client:
        times = Target(client, ["http://bench/"], {}, "first", "last").converse(spread=0)
    assert (math.isfinite(times.p50), math.isfinite(times.p95)) == finite
    assert times.failed == failed
