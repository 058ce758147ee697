"""The main job, shown: files in, read by the workers, found again, and a streamed answer that cites them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from deploy.demo.client import Client, DemoFailed, flower_workers
from deploy.demo.personas import CAST, ELENA, MATEI, MATERIAL, SEEN_BEFORE, VISITS, Cast, long_talk

PATIENCE = 180.0
MESSAGES, FIRST_WINDOW = 36, "25-35"
EXTRACTIVE = "extractive: sentences taken from what was read, no model"
DEMO_MODEL = "demo model: SmolLM2-135M, small enough for any machine, and no judge of facts"


def run(status: dict[str, Any], console: Console) -> None:
    """Show the main job on a running stack; raises DemoFailed when something it promises does not happen."""
    client = Client(status["gateway"]["url"], status["api_key"])
    started = time.monotonic()
    with on_stage(client) as ids:
        workers, message = _show(status, client, ids, console)
    _summarise(status, message, workers, time.monotonic() - started, console)


@contextmanager
def on_stage(client: Client) -> Iterator[dict[str, str]]:
    """Add the demo's personas and its module, and take them away again, however the demo ends: others may live here."""
    with ExitStack() as added:
        added.callback(client.remove_module, client.find_or_add_module(VISITS))
        ids = {}
        for cast in CAST:
            ids[cast.persona["slug"]] = persona_id = str(client.find_or_add_persona(cast.persona)["id"])
            added.callback(client.remove_persona, persona_id)
        yield ids


def _show(
    status: dict[str, Any], client: Client, ids: dict[str, str], console: Console
) -> tuple[list[str], dict[str, Any]]:
    for cast in CAST:
        _ingest(client, ids[cast.persona["slug"]], cast, console)
    for cast in CAST:
        _search(client, ids[cast.persona["slug"]], cast, console)
    elena, matei = (ids[cast.persona["slug"]] for cast in CAST)
    message = _answer(client, elena, ELENA, console)
    _extract(client, matei, MATEI, console)
    _remember(client, elena, console)
    workers = flower_workers(status["flower"])
    if len(workers) < len(status["workers"]):
        raise DemoFailed(f"Flower shows {len(workers)} workers of {len(status['workers'])}")
    return workers, message


def _ingest(client: Client, persona_id: str, cast: Cast, console: Console) -> None:
    for collection, names in cast.files.items():
        for name in names:
            client.upload(persona_id, collection, MATERIAL / name)
    client.ingest(persona_id)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{cast.persona['name']} reads {sum(map(len, cast.files.values()))} files", total=100)
        _watch(client, persona_id, lambda percent: progress.update(bar, completed=percent))


def _watch(client: Client, persona_id: str, show: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        state = client.ingestion(persona_id)
        show(state["overall_progress"])
        if state["any_failed"]:
            failed = [job["error_message"] for job in state["jobs"] if job["error_message"]]
            raise DemoFailed(f"the ingestion failed: {'; '.join(failed)}")
        if state["all_completed"]:
            return
        if time.monotonic() > deadline:
            raise DemoFailed(f"the ingestion did not end within {PATIENCE:g} s")
        time.sleep(0.2)


def _search(client: Client, persona_id: str, cast: Cast, console: Console) -> None:
    found = client.search(persona_id, cast.question)
    table = Table("", "passage", "from", title=f"[bold]{cast.question}[/]", title_justify="left", show_lines=True)
    for number, passage in enumerate(found, 1):
        table.add_row(str(number), " ".join(passage["content"].split())[:160], passage["label"])
    console.print(table)
    if not found or cast.answer_holds not in " ".join(found[0]["content"].split()):
        raise DemoFailed(f"the best passage for {cast.question!r} does not hold {cast.answer_holds!r}")


def _answer(client: Client, persona_id: str, cast: Cast, console: Console) -> dict[str, Any]:
    """Stream an answer that cites, and show that the next turn knows what a module counted after this one."""
    conversation = client.begin(persona_id)
    message = _stream(client, conversation, cast, DEMO_MODEL, console)
    last, *_ = client.say(conversation, "And what did you think of it?", max_tokens=20)
    if SEEN_BEFORE not in client.prompt_of(last.data["turn_id"]):
        raise DemoFailed("the second prompt does not hold what the module counted after the first reply")
    console.print(f"  [dim]the next prompt, by a module that ran after this reply:[/] … {SEEN_BEFORE}.\n")
    return message


def _extract(client: Client, persona_id: str, cast: Cast, console: Console) -> None:
    message = _stream(client, client.begin(persona_id, provider_type="extractive"), cast, EXTRACTIVE, console)
    if cast.answer_holds not in message["content"]:
        raise DemoFailed(f"the extractive answer does not hold {cast.answer_holds!r}")


def _stream(client: Client, conversation: str, cast: Cast, label: str, console: Console) -> dict[str, Any]:
    console.print(f"\n[bold]{cast.persona['name']}[/] [dim]({label})[/]")
    message: dict[str, Any] = {}
    for event in client.say(conversation, cast.question, max_tokens=80):
        match event.kind:
            case "token":
                console.print(event.data["text"], end="", markup=False, highlight=False)
            case "restart":
                console.print("\n[dim](starting again)[/]")
            case "message":
                message = event.data
            case "error" | "cancelled":
                raise DemoFailed(f"no answer: {event.data.get('error', 'cancelled')}")
    citations = message.get("extra_data", {}).get("citations", [])
    console.print("\n")
    for citation in citations:
        console.print(f"  [dim]rests on[/] [{citation['number']}] {citation['label']}", markup=True, highlight=False)
    if not citations:
        raise DemoFailed("the answer cites nothing of what was read")
    return message


def _remember(client: Client, persona_id: str, console: Console) -> None:
    """Bring in a long talk, and show the memory that its older messages became."""
    conversation = client.begin(persona_id)
    client.import_messages(conversation, long_talk(MESSAGES))
    deadline = time.monotonic() + PATIENCE
    while True:
        memories = {memory["original_message_range"]: memory for memory in client.memories(conversation)}
        if memory := memories.get(FIRST_WINDOW):
            break
        if time.monotonic() > deadline:
            raise DemoFailed(f"{MESSAGES} messages became no memory within {PATIENCE:g} s")
        time.sleep(0.2)
    console.print(f"\n[bold]{MESSAGES} messages[/] [dim]→ a memory of messages {FIRST_WINDOW}, {memory['model']}:[/]")
    console.print(f"  {' '.join(memory['compressed_content'].split())[:200]} …", markup=False, highlight=False)


def _summarise(
    status: dict[str, Any], message: dict[str, Any], workers: list[str], seconds: float, console: Console
) -> None:
    url = status["gateway"]["url"]
    table = Table.grid(padding=(0, 2))
    table.add_row("[green]✓[/] read", "PDF, DOCX, Markdown and JSONL: validated, parsed, cut, embedded once, stored")
    table.add_row("[green]✓[/] found", "in English and Romanian, by words and vectors")
    table.add_row("[green]✓[/] answered", f"{message['output_tokens']} tokens, streamed, with citations")
    table.add_row("[green]✓[/] changed", "a module counted after the reply, and the next prompt knew")
    table.add_row("[green]✓[/] remembered", f"{MESSAGES} messages, of which the older became memories")
    table.add_row("[green]✓[/] workers", f"{len(workers)} seen by Flower: {', '.join(workers)}")
    table.add_row("", "")
    table.add_row("docs", f"{url}/docs")
    table.add_row(
        "Flower", f"{status['flower']['url']} (user {status['flower']['user']}; password: personae status --json)"
    )
    console.print(
        "\n",
        table,
        f"\nIn {seconds:.0f} s. The demo's personas are gone again. `make up` keeps the stack running.",
        sep="",
    )
