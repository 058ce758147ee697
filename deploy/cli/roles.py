"""`personae run`: one process of the stack, as a container runs it; the process takes this command's place."""

import os
from typing import Annotated

import typer

from deploy import commands
from deploy.commands import Command
from shared.settings import get_settings
from shared.tasks import QUEUES

app = typer.Typer(help="One process of the stack, in the foreground.", no_args_is_help=True)
EVERYWHERE = "0.0.0.0"
Host = Annotated[str, typer.Option(help="The address to listen at; everywhere by default, for a container.")]


@app.callback()
def family() -> None:
    """Run one process of the stack in the foreground."""


def become(command: Command) -> None:
    """Replace this process, so that signals reach the program itself."""
    os.execve(command.words[0], command.words, {**os.environ, **command.environment})


@app.command()
def worker(
    queue: Annotated[list[str], typer.Argument(help=f"Of {', '.join(queue.name for queue in QUEUES)}.")],
) -> None:
    """Work on queues that need the same pool."""
    try:
        become(commands.worker(get_settings(), queue, commands.name_of_worker(queue)))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def beat() -> None:
    """Ring the sweep and calendar work."""
    settings = get_settings()
    become(commands.beat(settings, settings.data_dir / "beat-schedule"))


@app.command()
def gateway() -> None:
    """Serve the API at PERSONAE_GATEWAY_HOST and PERSONAE_GATEWAY_PORT."""
    become(commands.gateway())


@app.command()
def flower(host: Host = EVERYWHERE) -> None:
    """Serve Flower at PERSONAE_FLOWER_PORT, behind the login in FLOWER_BASIC_AUTH."""
    become(commands.flower(host, get_settings().flower_port))


@app.command()
def model(host: Host = EVERYWHERE, port: Annotated[int, typer.Option()] = 8020) -> None:
    """Serve the bundled models."""
    become(commands.model(host, port))
