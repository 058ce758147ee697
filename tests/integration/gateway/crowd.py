"""What people, workers and the sweep do to the same few rows, each act by itself and with a choice of its own."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from services import work as handling
from services.embedding import tasks as embedding
from services.embedding.steps import Loaded, Result
from services.ingestion import tasks as ingestion
from services.leases import Held
from services.outcomes import Outcome
from services.upkeep import sweep
from shared.db import Session, get_session
from shared.domain.lifecycle import RunStatus
from shared.domain.memory import Changes
from shared.errors import PersonaeError
from shared.models import (
    Base,
    Conversation,
    DataSource,
    DocumentBatch,
    DocumentURI,
    MemoryWindow,
    Message,
    Module,
    ModuleExecution,
    Persona,
    RunGroup,
    RunStep,
    Turn,
    User,
    Work,
)
from shared.queries.dialogue import executions, memory, turns
from shared.queries.scope import Scope
from shared.queries.work import engine
from shared.queries.workflows import advance, runs
from shared.tasks import (
    DIALOGUE,
    EMBEDDING,
    INGESTION,
    MEMORY,
    MODULES,
    Queue,
)

V1, WORKER = "/api/v1", "w:1:"
BYTES_GO = "the same file was just being deleted"  # what was sent is gone, and must be sent again
TABLES = {"turns": Turn, "steps": RunStep, "module_executions": ModuleExecution, "memory_windows": MemoryWindow}
MODELS: dict[Queue, type[Work]] = {
    DIALOGUE: Turn,
    MODULES: ModuleExecution,
    MEMORY: MemoryWindow,
    INGESTION: RunStep,
    EMBEDDING: RunStep,
}
ENDS = [RunStatus.COMPLETED] * 6 + [RunStatus.FAILED] * 2 + [RunStatus.ERROR, RunStatus.PENDING]
NOBODY = dict.fromkeys((RunGroup, DocumentURI, DocumentBatch, *TABLES.values()), 0)
FEW = 4  # rows of each table, on which all meet
NAMES = ("a.txt", "b.txt", "c.txt")


class Refused(Exception):
    """An answer that says that the server could not do it now."""


class Actor(NamedTuple):
    """Who acts: a client of the gateway, chance, and what came of it: acts `asked` and `done`, rows `settled`."""

    client: FlaskClient
    random: Random
    tally: Counter[str]

    def asks(self, method: str, path: str, **given: Any) -> Any:
        """Send a request; raises Refused for what is no fault of the asker's."""
        answer = self.client.open(V1 + path, method=method, **given)
        self.tally.update({"asked": 1, "done": int(answer.status_code < 300)})
        if answer.status_code >= 500 and BYTES_GO not in answer.text:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json if answer.status_code < 300 and answer.data else {}

    def any(self, model: type[Base]) -> Any:
        """Return the key of some row of a table, of one that there is not where it is empty."""
        with get_session() as session:
            age = getattr(model, "created_at", model.id)
            newest = select(model.id).order_by(age.desc()).limit(FEW).subquery()
            some = session.scalar(select(newest.c.id).order_by(func.random()).limit(1))
        return some or NOBODY.get(model, UUID(int=0))


def converse(actor: Actor) -> None:
    given = {"persona_id": str(actor.any(Persona)), "user_id": str(actor.any(User))}
    actor.asks("POST", "/conversations", json=given)


def say(actor: Actor) -> None:
    actor.asks("POST", f"/conversations/{actor.any(Conversation)}/messages?wait=false", json={"content": "Well?"})


def import_messages(actor: Actor) -> None:
    said = [{"role": "user", "content": f"Message {number}"} for number in range(3)]
    actor.asks("POST", f"/conversations/{actor.any(Conversation)}/messages/import", json={"messages": said})


def send(actor: Actor) -> None:
    names = actor.random.sample(NAMES, 2)
    parts = [(io.BytesIO(actor.random.choice(NAMES).encode() * 9), name) for name in names]
    actor.asks("POST", f"/personas/{actor.any(Persona)}/upload/works", data={"files": parts})


def ingest(actor: Actor) -> None:
    actor.asks("POST", f"/personas/{actor.any(Persona)}/ingest")


def open_batch(actor: Actor) -> None:
    actor.asks("POST", "/batch/", json={"name": "Letters", "source": "disk"})


def start_batch(actor: Actor) -> None:
    open_batch(actor)
    actor.asks("POST", "/batch/start-workflows", json={"batch_id": actor.any(DocumentBatch)})


def retry_ingestion(actor: Actor) -> None:
    actor.asks("POST", f"/personas/{actor.any(Persona)}/ingestion/retry")


def clear_jobs(actor: Actor) -> None:
    actor.asks("DELETE", f"/personas/{actor.any(Persona)}/ingestion/jobs")


def change_message(actor: Actor) -> None:
    actor.asks("PUT", f"/messages/{actor.any(Message)}", json={"content": f"Said {actor.random.random()}"})


def write_passages(actor: Actor) -> None:
    chunks = [{"source": "docs", "external_id": name, "content": name} for name in actor.random.sample(NAMES, 2)]
    new = {"source": "docs", "external_id": str(actor.random.random()), "content": "new"}
    actor.asks("POST", "/knowledge/chunks", json={"persona_id": str(actor.any(Persona)), "chunks": [*chunks, new]})


def run_on_demand(actor: Actor) -> None:
    asked = {"conversation_id": str(actor.any(Conversation))}
    actor.asks("POST", f"/modules/{actor.any(Module)}/run?wait=false", json=asked)


def hand_back(actor: Actor) -> None:
    with get_session() as session:
        engine.hand_back(session, actor.random.choice(list(TABLES.values())), WORKER)


def bring_in(actor: Actor) -> None:
    batch_id = actor.any(DocumentBatch) if actor.random.getrandbits(1) else 0
    sent = io.BytesIO(actor.random.choice(NAMES).encode() * 9), "a.txt"
    given = {"file": sent, "source_uri": actor.random.choice(NAMES), "source": "disk", "start": "true"}
    given |= {"batch_id": batch_id, "start": "false"} if batch_id else {}
    actor.asks("POST", "/document/ingest-document", data=given)


def cancel(actor: Actor) -> None:
    kind = actor.random.choice(list(TABLES))
    actor.asks("POST", f"/work/{kind}/{actor.any(TABLES[kind])}/cancel")


def retry(actor: Actor) -> None:
    kind = actor.random.choice(list(TABLES))
    actor.asks("POST", f"/work/{kind}/{actor.any(TABLES[kind])}/retry")


def steer(verb: str) -> Callable[[Actor], None]:
    return lambda actor: actor.asks("POST", f"/workflow/run-groups/{actor.any(RunGroup)}/{verb}")


def delete(path: str, model: type[Base]) -> Callable[[Actor], None]:
    return lambda actor: actor.asks("DELETE", f"{path}/{actor.any(model)}")


def delete_group(actor: Actor) -> None:
    with suppress(PersonaeError), get_session() as session:
        runs.delete_group(session, Scope("default"), actor.any(RunGroup))


def delete_conversation(actor: Actor) -> None:
    converse(actor)
    actor.asks("DELETE", f"/conversations/{actor.any(Conversation)}")


def furnish(actor: Actor) -> None:
    """Add one of each that others need."""
    add_user(actor)
    add_persona(actor)
    add_module(actor)
    open_batch(actor)
    converse(actor)


def add_user(actor: Actor) -> None:
    actor.asks("POST", "/users", json={"name": "Ana"})


def add_persona(actor: Actor) -> None:
    actor.asks("POST", "/personas", json={"name": f"Ada {actor.random.random()}", "template": "@mood"})


def add_module(actor: Actor) -> None:
    values = {"type": "advanced", "execution_context": "POST_RESPONSE", "script": "mood = 1"}
    actor.asks("POST", "/modules", json={"name": f"mood_{actor.random.randrange(10**9)}", **values})


def delete_user(actor: Actor) -> None:
    add_user(actor)
    actor.asks("DELETE", f"/users/{actor.any(User)}")


def delete_persona(actor: Actor) -> None:
    add_persona(actor)
    keep = actor.random.choice(("true", "false"))
    actor.asks("DELETE", f"/personas/{actor.any(Persona)}?keep_files={keep}")


def delete_module(actor: Actor) -> None:
    add_module(actor)
    actor.asks("DELETE", f"/modules/{actor.any(Module)}")


def delete_file(actor: Actor) -> None:
    file_id = actor.any(DataSource)
    with get_session() as session:
        file = session.get(DataSource, file_id)
    actor.asks("DELETE", f"/personas/{file.persona_id if file else file_id}/files/{file_id}")


def delete_place(actor: Actor) -> None:
    with get_session() as session:
        place = session.get(DocumentURI, actor.any(DocumentURI))
    if place is not None:
        actor.asks("DELETE", "/document/by-uri", query_string={"uri": place.uri, "source": place.source})


def clear_memories(actor: Actor) -> None:
    actor.asks("DELETE", f"/conversations/{actor.any(Conversation)}/memories")


def look_after(actor: Actor) -> None:
    sweep.sweep()


def settle(actor: Actor) -> None:
    actor.tally["settled"] += perform(actor.random, list(MODELS))


def settle_batch(actor: Actor) -> None:
    actor.tally["settled"] += perform(actor.random, [queue for queue in MODELS if queue.batch > 1])


def perform(random: Random, queues: list[Queue]) -> int:
    """Do as a worker does, each statement once, and say how many rows were settled."""
    held = claim(random, queues)
    if not held or random.random() < 0.05:  # it dies
        return 0
    try:
        with get_session() as session:
            loaded = handling._load_all(session, held)
        ends = [end(random, item, value) for item, value in zip(held, loaded, strict=True)]
        random.shuffle(ends)
        with get_session() as session:
            handling._write(session, ends)
    except (handling.Lost, PersonaeError):  # a row was lost, or what it is about
        return 0
    return len(ends)


def claim(random: Random, queues: list[Queue]) -> list[Held]:
    """Take rows of some queue on which any wait, at once as many as its workers do."""
    about = {"worker": WORKER, "lease": 0.5, "suspects": bool(random.getrandbits(1))}
    for queue in random.sample(queues, len(queues)):
        with get_session() as session:
            claims = engine.claim(session, [MODELS[queue]], queue.name, limit=queue.batch, **about)
        if claims:
            return [Held(claim, queue.name, max_runtime=60.0) for claim in claims]
    return []


def end(random: Random, held: Held, value: Any) -> Outcome:
    status = random.choice(ENDS)
    return Outcome(held, status, value if status is RunStatus.COMPLETED else None)


def reply(session: Session, turn: Turn, loaded: turns.TurnContext) -> None:
    message = Message(conversation_id=turn.conversation_id, role="assistant", content="Well.")
    then = dict.fromkeys(session.scalars(select(Module.id).order_by(func.random()).limit(3)), 4)
    turns.save_reply(session, turn, message, {}, then=then)


def run_module(session: Session, row: ModuleExecution, loaded: None) -> None:
    memory.change(session, row.conversation_id, Changes(cleared=row.id % 3 == 0, added=()))
    executions.save(session, row, {"mood": row.id}, "", {"seconds": 0.1})


def compress(session: Session, window: MemoryWindow, loaded: memory.WindowContext) -> None:
    memory.save(session, window, loaded, "They spoke." if loaded.lines else "", "fake-chat")


def store(session: Session, step: RunStep, loaded: Any) -> None:
    rows = [{"text": f"Passage {number}", "start": number, "end": number + 1, "page": None} for number in range(3)]
    embedding.save(session, step, Result(Loaded(loaded, rows), {"stored": 3}))


def prepare(session: Session, step: RunStep, loaded: Any) -> None:
    ingestion.save(session, step, {"document": {"pages": 1}})


def declare() -> None:
    """Declare work as the workers do, but with models that say little."""
    beside = {"work": lambda loaded: loaded}
    handling.register_handler(
        DIALOGUE, Turn, load=lambda session, row: turns.load(session, row, history=4), save=reply, **beside
    )
    handling.register_handler(MODULES, ModuleExecution, load=lambda session, row: None, save=run_module, **beside)
    handling.register_handler(MEMORY, MemoryWindow, load=memory.load, save=compress, **beside)
    locking = beside | {"load": advance.context, "lock": advance.lock_written}
    handling.register_handler(INGESTION, RunStep, save=prepare, **locking)
    handling.register_handler(EMBEDDING, RunStep, save=store, **locking)


BEGINS = (converse, say, say, import_messages, import_messages, send, ingest, ingest, bring_in)
ACTS: dict[str, Callable[[Actor], None]] = {
    "settle": settle,
    "settle a batch": settle_batch,
    "cancel": cancel,
    "retry": retry,
    "cancel a group": steer("cancel"),
    "pause a group": steer("pause"),
    "resume a group": steer("resume"),
    "retry a group": steer("retry"),
    "delete a group": delete_group,
    "start a batch": start_batch,
    "retry an ingestion": retry_ingestion,
    "clear jobs": clear_jobs,
    "change a message": change_message,
    "write passages": write_passages,
    "run on demand": run_on_demand,
    "hand back": hand_back,
    "delete a conversation": delete_conversation,
    "delete a message": delete("/messages", Message),
    "delete a user": delete_user,
    "delete a persona": delete_persona,
    "delete a module": delete_module,
    "delete a file": delete_file,
    "delete a place": delete_place,
    "forget": clear_memories,
    "upload": send,
    "sweep": look_after,
}


def act(actor: Actor, names: Iterable[str]) -> list[str]:
    """Do acts one after the other, and something new before each; return what was refused or met a lock."""
    faults = []
    for name in names:
        for step in (actor.random.choice(BEGINS), actor.random.choice(BEGINS), settle, settle_batch, ACTS[name]):
            try:
                step(actor)
            except (Refused, DBAPIError) as error:
                faults.append(f"{name}: {error}")
    return faults
