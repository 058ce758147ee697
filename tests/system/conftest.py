"""One embedded stack for the session, started through the command line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.system.stacks import Stack


@dataclass(frozen=True)
class RunningStack:
    """The session's stack: its command line, and its `status --json` as it was after the start."""

    commands: Stack
    status: dict[str, Any]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A whole stack with a data directory of its own; tests that break it on purpose make their own."""
    commands = Stack(tmp_path_factory.mktemp("stack") / "data")
    try:
        yield RunningStack(commands, commands.start())
    finally:
        commands.run("down")


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make stacks of the stores alone, that a test may break; none of their processes outlives the test."""
    made: list[Stack] = []

    def make(name: str = "data", **values: Any) -> Stack:
        made.append(Stack(tmp_path / name, **{"program": "tests.system.dummy_commands", **values}))
        return made[-1]

    yield make
    for each in made:
        each.run("down")
