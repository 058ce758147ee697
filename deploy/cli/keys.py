"""`personae keys`: who may call the gateway."""

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Annotated, Any

import typer

from deploy.cli.terminal import err, fail, out
from deploy.local.stack.environment import NotRunning, adopt_stack

app = typer.Typer(help="Keys to the gateway.", no_args_is_help=True)
SCOPES = ("read", "chat", "write", "admin")


@app.callback()
def family() -> None:
    """Look after the keys to the gateway."""


def parse_scopes(value: str) -> tuple[str, ...]:
    """Return the scopes of a comma-separated list; raises BadParameter for one that there is not."""
    scopes = tuple(scope.strip() for scope in value.split(",") if scope.strip())
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise typer.BadParameter(f"scopes are {', '.join(SCOPES)}; got {value!r}")
    return scopes


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    owner: Annotated[str, typer.Option(help="Whose rows it reaches.")] = "default",
    scopes: Annotated[str, typer.Option(help="Comma-separated: read, chat, write, admin.")] = "read,chat",
    expires_days: Annotated[int | None, typer.Option(min=1, help="Days until it stops working; never without.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a key, and print it: this is the only time."""
    granted = parse_scopes(scopes)
    try:
        adopt_stack()
    except NotRunning as error:
        fail(str(error))
    expires_at = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    identifier, key = _add(owner, name, granted, expires_at)
    if as_json:
        values = {"id": identifier, "key": key, "owner": owner, "name": name, "scopes": granted}
        typer.echo(json.dumps({**values, "expires_at": expires_at.isoformat() if expires_at else None}))
        return
    out.print(key, markup=False)
    err.print("Keep it now: it is not shown again.")


def _add(owner: str, name: str, scopes: tuple[str, ...], expires_at: datetime | None) -> tuple[str, str]:
    from shared.db import get_session
    from shared.queries.scope import Scope

    keys: Any = import_module("shared.queries.accounts.keys")
    with get_session() as session:
        row, key = keys.add(session, Scope(owner), name=name, scopes=scopes, expires_at=expires_at)
        session.flush()
        return str(row.id), key
