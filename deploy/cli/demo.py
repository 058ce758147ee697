"""`personae demo`: the main job on the embedded stack."""

from typing import Any

import httpx

from deploy.cli.stack import bring_up
from deploy.cli.terminal import err, fail, out
from deploy.local import control
from deploy.local.data import state
from deploy.local.data.folder import Folder
from deploy.local.stack.environment import folder_of
from shared.settings import get_settings


def demo() -> None:
    """Show the main job: read files, find them again, answer with citations. Exits with 0 when all of it happened."""
    try:
        from deploy.demo.client import DemoFailed
        from deploy.demo.run import run
    except ModuleNotFoundError:
        fail("the demo is not in this image: `make demo` runs it in a copy of the repository")
    folder = folder_of(get_settings())
    started_here = state.find_running(folder) is None
    if started_here:
        bring_up(folder, detach=True)
    try:
        run(_status(folder), out)
    except (DemoFailed, httpx.HTTPError) as error:
        fail(f"the demo failed: {error}\nSee the logs in {folder.logs}")
    finally:
        if started_here:
            err.print("Stopping …")
            control.stop(folder)


def _status(folder: Folder) -> dict[str, Any]:
    status = state.describe(folder)
    if status is None:
        fail(f"the stack ended right after its start: see {folder.logs}")
    return status
