"""What the commands share of the terminal: results on stdout, everything else on stderr."""

from typing import NoReturn

import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Say why on stderr, and exit with 1."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(1)
