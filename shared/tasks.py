"""The catalogue: every queue, every task, and the bell that says there is work."""

from typing import Literal, NamedTuple

Pool = Literal["threads", "prefork", "solo"]


class Queue(NamedTuple):
    """Work of one worker service; `batch` rows are claimed and settled together."""

    name: str
    pool: Pool
    batch: int = 1


DIALOGUE = Queue("dialogue", "threads")
MODULES = Queue("modules", "threads")
MEMORY = Queue("memory", "threads")
INGESTION = Queue("ingestion", "prefork")
EMBEDDING = Queue("embedding", "threads", batch=8)
SYNTHESIS = Queue("synthesis", "threads")
UPKEEP = Queue("upkeep", "solo")
QUEUES = (DIALOGUE, MODULES, MEMORY, INGESTION, EMBEDDING, SYNTHESIS, UPKEEP)


class Task(NamedTuple):
    """A kind of work: its name, and the queue on which its rows wait."""

    name: str
    queue: Queue


REPLY = Task("dialogue.reply", DIALOGUE)
PREPARE_DOCUMENT = Task("ingestion.step", INGESTION)
EMBED_DOCUMENT = Task("embedding.step", EMBEDDING)
TASKS = (REPLY, PREPARE_DOCUMENT, EMBED_DOCUMENT)
