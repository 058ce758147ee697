"""Work goes on while its processes are killed at random; CHAOS_SEED repeats a run."""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
import redis

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import SHORT, allowed, eventually, until
from tests.system import library
from tests.system.client import Client
from tests.system.conftest import SMALL, RunningStack
from tests.system.stacks import Stack, ask

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
CONVERSATIONS, EARLIER, MESSAGES = 6, 36, 5
WINDOWS = [(0, "1-24"), (1, "25-35"), (2, "36-46")]  # of the messages, earlier ones and replies included
COUNT = "ctx.set_variable('seen', ctx.get_variable('seen', 0) + 1)"
MODULES = {"counter": COUNT, "judge": f"{COUNT}\nctx.generate('Judge')"}  # stages 4 and 5
LIFE = {"PERSONAE_POST_RESPONSE_WAIT": "60", "PERSONAE_CHAT_MODEL": "a-real-model"}  # no state is stale; it summarises
DOCUMENTS, PASSAGES = 12, 3  # a document's JSON lines are its passages
RECOVERY = 30.0  # seconds after the last fault until nothing is left to do
PAUSE = (0.5, 3.0)  # seconds between two faults


@pytest.fixture
def slow_model() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        words = "a reply of a few words, one after the other"
        fake.script(Rule(match="Judge", text="well done"), Rule(match="", text=words, token_delay=0.05))
        yield fake


@pytest.fixture
def fragile(new_stack: Callable[..., Stack], slow_model: FakeOpenAI) -> RunningStack:
    """A stack to break, its life of work five times as fast."""
    environment = SHORT | SMALL | LIFE | {"PERSONAE_MODEL_URL": slow_model.url}
    commands = new_stack(environment=environment, program="deploy.cli.main")
    return RunningStack(commands, commands.start())


@pytest.fixture
def patient(fragile: RunningStack) -> Iterator[Client]:
    with fragile.client() as client:
        yield client


def is_accepted(client: Client, path: str, body: Any, key: str) -> bool:
    try:
        answer = client.ask("POST", path, json=body, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return False
    assert answer.is_success or answer.status_code == 503, answer.text
    return answer.is_success


def is_ready(client: Client) -> bool:
    try:
        return client.ask("GET", "/ready").is_success
    except httpx.TransportError:
        return False


def talk(stack: RunningStack, conversation: str) -> None:
    """Send the messages in order, each again under its key until it is accepted."""
    path = f"conversations/{conversation}/messages"
    with stack.client() as client:
        for number in range(MESSAGES):
            body, key = {"content": f"{number}"}, f"{conversation} {number}"
            until(lambda body=body, key=key: is_accepted(client, path, body, key), 60)


def fill(client: Client) -> str:
    """Add a persona with documents to read and modules to run; return its path."""
    for name, script in MODULES.items():
        module = {"name": name, "type": "advanced", "execution_context": "POST_RESPONSE", "content": "${seen}"}
        client.post("modules", module | {"script": script})
    persona = library.add_persona(client, "You have read a lot. @counter @judge")
    quotes = {f"{number}.jsonl": quotes_of(number) for number in range(DOCUMENTS)}
    assert library.upload(client, persona, quotes, "quotes")["uploaded_count"] == DOCUMENTS
    return persona


def begin(client: Client, persona: str) -> str:
    """Begin a conversation in which much was said before; return its id."""
    conversation: str = client.post("conversations", {"persona_id": persona.rpartition("/")[2]})["id"]
    said = [{"role": "user", "content": f"Earlier {number}"} for number in range(EARLIER)]
    client.post(f"conversations/{conversation}/messages/import", {"messages": said})
    return conversation


def quotes_of(document: int) -> bytes:
    return "\n".join(json.dumps({"text": f"{document} says {number}"}) for number in range(PASSAGES)).encode()


def faults(stack: RunningStack, chance: random.Random) -> list[tuple[str, Callable[[], object]]]:
    """Every kind of fault, some twice: a third lost worker would rightly end a row as poison."""

    def wipe() -> None:
        with redis.Redis.from_url(stack.status["broker"]["url"], socket_timeout=5) as broker:
            until(lambda: flushed(broker), 10)

    kill = stack.commands.kill
    kinds: list[tuple[str, Callable[[], object]]] = [
        ("broker wiped", wipe),
        *((name, lambda name=name: kill(name)) for name in ("worker-threads", "worker-prefork", "broker", "postgres")),
        *((name, lambda name=name: kill(name)) for name in ("gateway", "beat", "worker-upkeep")),
    ]
    chosen = [*kinds, *chance.sample(kinds[:5], 2)]
    chance.shuffle(chosen)
    return chosen


def flushed(broker: redis.Redis) -> bool:
    try:
        return bool(broker.flushall())
    except redis.RedisError:
        return False


def unfinished(stack: RunningStack) -> list[tuple[Any, ...]]:
    """Return the rows of work that have not ended."""
    statement = " UNION ALL ".join(
        f"SELECT '{table}', id, status, fence, retry, crashes, status_message FROM {table} "  # our own names
        "WHERE status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')"
        for table in ("turns", "module_executions", "memory_windows", "runstep")
    )
    return ask(stack.status["postgres"]["url"], statement)


def sql(stack: RunningStack, statement: str) -> list[tuple[Any, ...]]:
    return ask(stack.status["postgres"]["url"], statement)


@pytest.mark.capability("C167")
def test_under_random_kills_nothing_is_lost_and_nothing_is_done_twice(fragile: RunningStack, patient: Client) -> None:
    print(f"CHAOS_SEED={SEED}")  # noqa: T201 - the one thing to know when this fails
    persona = fill(patient)
    conversations = [begin(patient, persona) for _ in range(CONVERSATIONS)]
    acts = [partial(talk, fragile, conversation) for conversation in conversations]
    with ThreadPoolExecutor(len(acts)) as talking:
        answers = [talking.submit(act) for act in acts]
        patient.post(f"{persona}/ingest", status=202)
        strike_all(fragile, random.Random(SEED))
        over = time.monotonic()
        for answer in answers:
            answer.result(allowed(RECOVERY))
    until(lambda: is_ready(patient), allowed(RECOVERY))
    eventually(lambda: unfinished(fragile), lambda rows: not rows, allowed(RECOVERY) - (time.monotonic() - over))
    assert_answered_once(fragile, patient, conversations)
    assert_followed_once(fragile)
    assert_remembered_once(fragile)
    assert_read_once(fragile, patient, persona)


def strike_all(stack: RunningStack, chance: random.Random) -> None:
    for name, strike in faults(stack, chance):
        threading.Event().wait(chance.uniform(*PAUSE))
        print(name)  # noqa: T201
        strike()


def assert_answered_once(stack: RunningStack, client: Client, conversations: list[str]) -> None:
    messages = CONVERSATIONS * MESSAGES
    assert sql(stack, "SELECT status, count(*) FROM turns GROUP BY status") == [("COMPLETED", messages)]
    roles = sql(stack, "SELECT role, count(*) FROM messages GROUP BY role ORDER BY role")
    assert roles == [("assistant", messages), ("user", messages + CONVERSATIONS * EARLIER)]
    assert sql(stack, "SELECT count(DISTINCT assistant_message_id) FROM turns") == [(messages,)]
    for conversation in conversations:
        items = client.get(f"conversations/{conversation}/messages", params={"limit": 100})["items"]
        said = [message["content"] for message in items if message["role"] == "user"]
        assert said[EARLIER:] == [f"{number}" for number in range(MESSAGES)]


def assert_followed_once(stack: RunningStack) -> None:
    """Each module ran after each reply, and its state has counted each once."""
    turns = CONVERSATIONS * MESSAGES
    runs = sql(stack, "SELECT stage, status, count(*) FROM module_executions GROUP BY 1, 2 ORDER BY 1")
    assert runs == [(4, "COMPLETED", turns), (5, "COMPLETED", turns)]
    told = sql(stack, "SELECT jsonb_array_length(trace -> 'executions'), count(*) FROM turn_traces GROUP BY 1")
    assert told == [(len(MODULES), turns)]
    seen = sql(stack, "SELECT variables ->> 'seen', count(*) FROM conversation_states GROUP BY 1")
    assert seen == [(f"{MESSAGES}", CONVERSATIONS * len(MODULES))]


def assert_remembered_once(stack: RunningStack) -> None:
    windows = sql(stack, "SELECT status, count(*) FROM memory_windows GROUP BY 1")
    assert windows == [("COMPLETED", CONVERSATIONS * len(WINDOWS))]
    memories = (
        "SELECT memory_sequence, original_message_range, count(*) FROM conversation_memories GROUP BY 1, 2 ORDER BY 1"
    )
    assert sql(stack, memories) == [(*window, CONVERSATIONS) for window in WINDOWS]


def assert_read_once(stack: RunningStack, client: Client, persona: str) -> None:
    assert library.ingested(client, persona)["all_completed"]
    assert sql(stack, "SELECT status, count(*) FROM runstep GROUP BY status") == [("COMPLETED", 5 * DOCUMENTS)]
    stored = sql(stack, "SELECT count(*), count(DISTINCT content) FROM knowledge_chunks")
    assert stored == [(DOCUMENTS * PASSAGES, DOCUMENTS * PASSAGES)]
    ends = (
        "SELECT event, count(*) FROM lifecyclehistory WHERE event IN ('group_end', 'item_end', 'step_end') GROUP BY 1"
    )
    assert dict(sql(stack, ends)) == {"group_end": 1, "item_end": DOCUMENTS, "step_end": 5 * DOCUMENTS}
