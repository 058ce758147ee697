"""The command `personae`: one file per family of commands."""

import typer

from deploy.cli import database, keys, roles, stack
from deploy.cli.demo import demo
from deploy.cli.doctor import doctor

app = typer.Typer(
    name="personae",
    help="A self-hosted back-end for AI personas.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold passwords
)
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(doctor)
app.command()(demo)
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(roles.app, name="run")

if __name__ == "__main__":
    app()
