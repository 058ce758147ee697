"""`personae up`, `down` and `status`: the embedded stack."""

import json
import signal
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.table import Column, Table

from deploy.cli.doctor import warn_of_providers
from deploy.cli.terminal import err, fail, out
from deploy.local import control
from deploy.local.control import SUPERVISOR, Supervised
from deploy.local.data import credentials, state
from deploy.local.data.folder import Folder
from deploy.local.data.ports import is_free
from deploy.local.processes import uptime
from deploy.local.stack.environment import adopt_stack, folder_of
from shared.settings import Settings, get_settings

MARKS = {"ready": "[green]✓[/]", "exited": "[red]✗[/]", "restarting": "[yellow]↻[/]"}


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready, and leave it running.")] = False,
) -> None:
    """Start the stack: what the settings do not already point at, with its data in PERSONAE_DATA_DIR."""
    folder = folder_of(get_settings())
    running = state.find_running(folder)
    if running is not None and running.is_up:
        out.print(f"Already running: {running.addresses['gateway']}", markup=False)
        return
    bring_up(folder, detach=detach)


def bring_up(folder: Folder, *, detach: bool, supervisor: str = SUPERVISOR) -> None:
    """Start a stack and show it; in the foreground, stay until it ends."""
    try:
        supervised = Supervised(folder, attached=not detach, module=supervisor)
    except OSError as error:
        fail(f"{folder.root} cannot be used: {error}")
    handlers = {
        number: signal.signal(number, lambda *_: supervised.ask_to_stop()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    events = supervised.events()
    if not _show_start(events):
        raise typer.Exit(supervised.wait() or 1)
    warn_of_providers(err)
    _summarise(folder, detach=detach)
    if detach:
        supervised.detach()
        for number, handler in handlers.items():  # from here on they are for whoever called us
            signal.signal(number, handler)
        return
    for event in events:
        _print(event)
    raise typer.Exit(supervised.wait())


def _show_start(events: Iterable[dict[str, Any]]) -> bool:
    """Show what starts, and return whether all of it did."""
    waiting: set[str] = set()
    with err.status("Starting") as spinner:
        for event in events:
            if event["event"] == "up":
                return True
            if event["event"] == "starting":
                waiting.add(event["name"])
            waiting.discard(event["name"] if event["event"] == "ready" else "")
            spinner.update(f"Starting {', '.join(sorted(waiting))}")
            _print(event)
    return False


def _print(event: dict[str, Any]) -> None:
    kind, name = event["event"], event["name"]
    details = {key: value for key, value in event.items() if key not in ("event", "name")}
    if kind == "failed":
        err.print(name, style="red", markup=False)
    elif kind == "stopping":
        err.print("Stopping …")
    elif kind in MARKS:
        reason = ", ".join(f"{key} {value}" for key, value in details.items())
        err.print(f"{MARKS[kind]} {name}", end=" ")
        err.print(reason, style="dim", markup=False)


def _summarise(folder: Folder, *, detach: bool) -> None:
    status = state.describe(folder)
    if status is None:
        fail(f"the stack ended right after its start: see {folder.logs}")
    flower = status["flower"]
    lines = {
        "Gateway": status["gateway"]["url"],
        "API docs": f"{status['gateway']['url']}/docs",
        "Flower": f"{flower['url']} (user {flower['user']}, password: flower_password in {folder.secrets})",
        "API key": f"api_key in {folder.secrets}",
        "Logs": str(folder.logs),
    }
    for name, value in lines.items():
        out.print(f"{name:<10}{value}", markup=False)
    for told in about_ports(get_settings(), status):
        out.print(told, style="dim", markup=False)
    out.print("Stop it with `personae down`." if detach else "Stop it with Ctrl-C.")


def about_ports(settings: Settings, status: dict[str, Any]) -> list[str]:
    """Say of each port that is not the one in the settings why it is not; it is kept for the next start."""
    told = []
    for name, wanted in (("gateway", settings.gateway_port), ("flower", settings.flower_port)):
        taken = urlsplit(status[name]["url"]).port
        if taken != wanted:
            why = (
                "which others use"
                if not is_free(wanted)
                else "which others used when this folder's stack first started"
            )
            told.append(f"{name} is on {taken} and not on {wanted}, {why}: PERSONAE_{name.upper()}_PORT decides")
    return told


def down() -> None:
    """Stop the stack within ten seconds; nothing to do is no error."""
    folder = folder_of(get_settings())
    stopped = control.stop(folder, control.patience_left())
    err.print("Stopped." if stopped else _none_runs(folder))


def _none_runs(folder: Folder) -> str:
    return (
        f"no stack runs on {folder.root}: begin one with `personae up`, or name another's folder in PERSONAE_DATA_DIR"
    )


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, secrets included.")] = False,
) -> None:
    """Show what runs and what waits on the queues; exits with 1 when nothing runs."""
    folder = folder_of(get_settings())
    running, secrets = state.find_running(folder), credentials.load(folder)
    if running is None or secrets is None:
        fail(_none_runs(folder))
    if as_json:
        typer.echo(json.dumps(state.document(running, secrets), indent=2))
    else:
        out.print(_table(running))
        out.print(_queues())


def _queues() -> Table | str:
    """Show what waits, and for whom; a stack whose database is away or still empty has its other state to show."""
    from sqlalchemy.exc import SQLAlchemyError

    from shared.db import get_session
    from shared.queries.work import why

    try:
        adopt_stack()
        with get_session() as session:
            found = why.on_queues(session)
    except SQLAlchemyError as error:
        return f"Queues: unknown, {str(getattr(error, 'orig', error)).partition(chr(10))[0]}"
    return queue_table(found) if found else "Queues: nothing waits."


def queue_table(found: Iterable[Any]) -> Table:
    """Return the queues as people read them."""
    table = Table("queue", "waiting", "being worked on", "tried again later")
    for row in found:
        table.add_row(row.queue, *(str(number) for number in row[1:]))
    return table


def _table(running: state.State) -> Table:
    table = Table("process", "state", "pid", "uptime", "restarts", Column("address or queues", overflow="fold"))
    for child in running.children:
        alive = child.pid is not None and child.identity is not None
        table.add_row(
            child.name,
            child.condition if alive else "not running",
            str(child.pid or "-"),
            str(timedelta(seconds=int(uptime(child.identity)))) if alive and child.identity else "-",
            str(child.restarts),
            ", ".join(child.queues) or _without_password(running.addresses.get(child.name, "")),
        )
    return table


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if url else ""
