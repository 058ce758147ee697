"""The scripted model, in a thread."""

from collections.abc import Iterator

import pytest

from tests.fakes.openai_server import FakeOpenAI


@pytest.fixture
def openai() -> Iterator[FakeOpenAI]:
    """A fake OpenAI-compatible server without delays."""
    with FakeOpenAI() as server:
        yield server
