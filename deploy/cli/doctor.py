"""`personae doctor`: does what this needs work, and what is there to do about it?"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.cli.terminal import out
from deploy.local.stack.environment import NotRunning, adopt_stack
from shared.settings import get_settings

if TYPE_CHECKING:
    from deploy.local.stack.examination import Examined

START_PATIENCE = 10.0  # seconds that a start takes longer for a model that does not answer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Try the database, the broker and both model servers with their keys and models; exits with 1 when one fails."""
    from deploy.local.stack.examination import examine, of_providers, of_stores

    try:
        settings = adopt_stack()
    except NotRunning:  # the line of the database says so
        settings = get_settings()
    found = examine(settings, {**of_stores(settings), **of_providers(settings)})
    is_well = not any(one.fault for one in found)
    if as_json:
        typer.echo(json.dumps({"ok": is_well, "checks": [one._asdict() for one in found]}))
    else:
        show(found, out)
    raise typer.Exit(0 if is_well else 1)


def warn_of_providers(console: Console) -> None:
    """After a start, print what is wrong with the model servers; what works goes without saying."""
    from deploy.local.stack.examination import examine, of_providers

    try:
        settings = adopt_stack()
    except NotRunning:  # it was told to stop meanwhile
        return
    show([one for one in examine(settings, of_providers(settings, START_PATIENCE)) if one.fault], console)


def show(found: "Iterable[Examined]", console: Console) -> None:
    """Print a line for each."""
    for one in found:
        console.print("[red]✗[/]" if one.fault else "[green]✓[/]", end=" ")
        console.print(
            f"{one.name}: {one.fault}; {one.advice}" if one.fault else f"{one.name}: {one.what}", markup=False
        )
