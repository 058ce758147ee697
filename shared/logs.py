"""placeholder until the gateway branch lands"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


def configure_logging(level: str) -> None:
    logging.basicConfig(level=level)


@contextmanager
def bound_correlation_id(correlation_id: str | None) -> Iterator[None]:
    yield
