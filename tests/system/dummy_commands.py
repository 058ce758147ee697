"""The `personae` commands on a stack of the stores alone: `python -m tests.system.dummy_commands up --detach`."""

import typer

from deploy.cli import stack
from deploy.local.stack.environment import folder_of
from shared.settings import get_settings

app = typer.Typer()
app.command()(stack.down)
app.command()(stack.status)


@app.command()
def up(detach: bool = False) -> None:
    stack.bring_up(folder_of(get_settings()), detach=detach, supervisor="tests.system.dummy_stack")


if __name__ == "__main__":
    app()
