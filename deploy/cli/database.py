"""`personae db`: the schema."""

import typer

from deploy.cli.terminal import fail, out
from deploy.local.stack.environment import NotRunning, adopt_stack

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.callback()
def family() -> None:
    """Look after the database's schema."""


@app.command()
def upgrade(
    seed: bool = typer.Option(False, "--seed", help="Add the default persona and its modules where they are missing."),
) -> None:
    """Bring the schema to the newest revision; concurrent runners wait for one another."""
    from sqlalchemy.exc import DBAPIError, OperationalError

    from deploy.local.stack import migrations

    try:
        adopt_stack()
        before, after = migrations.upgrade()
        added = migrations.add_defaults() if seed else []
    except NotRunning as error:
        fail(str(error))
    except OperationalError as error:
        fail(f"the database does not answer: {error.orig}")
    except DBAPIError as error:
        if (lack := about_vector(str(error.orig))) is None:
            raise
        fail(lack)
    out.print(f"{before or 'empty'} → {after or 'empty'}" + (" (nothing to do)" if before == after else ""))
    if added:
        out.print(f"added {', '.join(added)}")


def about_vector(said: str) -> str | None:
    """Say what a server lacks that did not make the extension; None when it said something else."""
    if 'extension "vector"' not in said and "vector.control" not in said:
        return None
    advice = "the server has no extension vector: use an image with pgvector"
    if "permission denied" in said:
        advice = "the database's user may not make it: have an administrator run CREATE EXTENSION vector"
    return f"{advice} ({said.splitlines()[0]})"
