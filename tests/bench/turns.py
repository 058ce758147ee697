"""How long the first token takes through gateway, rows, broker, worker and stream, over the same fake model asked raw.

Conversations go on beside each other: each asks its next question when the last reply has ended. Every turn resolves
five modules, two of them scripts, one more after the reply, and recalls passages of what its persona has read.
"""

import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from deploy.local.data.ports import free_port
from tests.processes import ROOT
from tests.system import library
from tests.system.client import Client
from tests.system.stacks import Stack

FIRST_DELAY, TOKEN_DELAY = 0.06, 0.1  # seconds
ROUNDS = 4  # questions of each conversation that count
SHORT, LONG = "What does the loom weave?", "What does the loom weave? At length, please."
TOKENS = {SHORT: 20, LONG: 90}
ENVIRONMENT = {"PERSONAE_DB_POOL_SIZE": "5", "PERSONAE_DB_MAX_OVERFLOW": "0", "PERSONAE_WORKER_THREADS": "128"}
TEMPLATE = "You are Ada. @voice @manners @clock @mood @counted"
MODULES: list[dict[str, str]] = [
    {"name": "voice", "type": "simple", "content": "You speak plainly."},
    {"name": "manners", "type": "simple", "content": "You are polite."},
    {"name": "clock", "type": "advanced", "content": "It is ${now}.", "script": "now = ctx.get_current_time('%H:%M')"},
    {"name": "mood", "type": "advanced", "content": "You feel ${mood}.", "script": "mood = 'calm'"},
    {
        "name": "counted",
        "type": "advanced",
        "execution_context": "POST_RESPONSE",
        "content": "Asked ${asked} times.",
        "script": "asked = (ctx.get_variable('asked') or 0) + 1",
    },
]


@contextmanager
def served(module: str, port: int, *options: str) -> Iterator[None]:
    """A server of ours in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", module, "--port", str(port), *options], cwd=ROOT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@contextmanager
def raw_model() -> Iterator[str]:
    """The scripted model; yields its URL."""
    port = free_port()
    delays = ("--first-delay", f"{FIRST_DELAY}", "--token-delay", f"{TOKEN_DELAY}")
    with served("tests.fakes.openai_server", port, *delays):
        rules = [{"match": question, "tokens": ["word "] * count} for question, count in TOKENS.items()]
        httpx.post(f"http://127.0.0.1:{port}/_script", json={"rules": rules[::-1]}).raise_for_status()
        yield f"http://127.0.0.1:{port}/v1"


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/models").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


class Times(NamedTuple):
    """Milliseconds to the first token, infinite for a stream that did not come to its end, and how many these are."""

    p50: float
    p95: float
    failed: int

    @classmethod
    def of(cls, answers: Sequence[float]) -> "Times":
        """Return the percentiles by nearest rank, as none lies between a number and infinity."""
        ranked = sorted(answers)
        p50, p95 = (ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.95))
        return cls(p50, p95, ranked.count(math.inf))


@dataclass(frozen=True)
class Target:
    """Something that streams an answer: where, how it is asked, and the lines that begin and end the answer."""

    client: httpx.Client
    urls: list[str]
    body: dict[str, Any]
    first: str
    last: str

    def ask(self, url: str) -> float:
        """Return the milliseconds to the first token; infinity when the stream did not come to its end."""
        first, ended, started = math.inf, False, time.perf_counter()
        with (
            suppress(httpx.HTTPError),
            self.client.stream("POST", url, json=self.body, headers={"Accept": "text/event-stream"}) as response,
        ):
            for line in response.iter_lines():
                if first == math.inf and self.first in line:
                    first = 1000 * (time.perf_counter() - started)
                ended = ended or self.last in line
        return first if ended else math.inf

    def converse(self, *, spread: float) -> Times:
        """Go on with all conversations at once, begun at chance moments of `spread` seconds."""
        chance = random.Random(7)
        starts = [chance.uniform(0, spread) for _ in self.urls]
        with ThreadPoolExecutor(len(self.urls)) as pool:
            return Times.of([time for times in pool.map(self._go_on, self.urls, starts) for time in times])

    def _go_on(self, url: str, start: float) -> list[float]:
        time.sleep(start)
        return [self.ask(url) for _ in range(ROUNDS + 1)][1:]


@dataclass(frozen=True)
class Bench:
    """A running stack with a persona that has read something, beside the bare model."""

    api: Client
    gateway: str
    key: str
    model: str
    persona: str

    def compare(self, name: str, concurrency: int, question: str, *, spread: float) -> Iterator[tuple[str, str]]:
        """Measure the bare model, then Personae on it."""
        limits, key = httpx.Limits(max_connections=200), {"Authorization": f"Bearer {self.key}"}
        raw = {"model": "fake", "stream": True, "messages": [{"role": "user", "content": question}]}
        talks = [self.api.post("conversations", {"persona_id": self.persona})["id"] for _ in range(concurrency)]
        urls = [f"{self.gateway}/api/v1/conversations/{talk}/messages" for talk in talks]
        with (
            httpx.Client(timeout=60, limits=limits) as bare,
            httpx.Client(timeout=60, limits=limits, headers=key) as api,
        ):
            floor = Target(bare, [f"{self.model}/chat/completions"] * concurrency, raw, '"content"', "[DONE]")
            ours = Target(api, urls, {"content": question}, "event: token", "event: done")
            least, times = floor.converse(spread=spread), ours.converse(spread=spread)
        floor_is = f"p50 {least.p50:.0f} ms, p95 {least.p95:.0f} ms; {least.failed} failed"
        yield f"first token, {name}: raw model (floor)", floor_is
        over = f"p50 {times.p50 - least.p50:.0f} ms, p95 {times.p95 - least.p95:.0f} ms over the floor"
        yield f"first token, {name}: through Personae", f"{over}; {times.failed} failed"


@contextmanager
def running() -> Iterator[Bench]:
    """Start the stack on the fake model, with what a turn needs."""
    with tempfile.TemporaryDirectory() as folder, raw_model() as model:
        stack = Stack(Path(folder) / "data", {"PERSONAE_MODEL_URL": model} | ENVIRONMENT)
        try:
            status = stack.start()
            with Client(status["gateway"]["url"], status["api_key"]) as api:
                yield Bench(api, status["gateway"]["url"], status["api_key"], model, _add_persona(api))
        finally:
            stack.stop()


def _add_persona(api: Client) -> str:
    for module in MODULES:
        api.post("modules", module)
    persona = f"personas/{api.post('personas', {'name': f'Bench {os.getpid()}', 'template': TEMPLATE})['id']}"
    pages = {f"{n}.txt": f"On day {n} the loom wove {n} flowers. ".encode() * 60 for n in range(20)}
    library.upload(api, persona, pages)
    assert library.ingest(api, persona, 120)["overall_status"] == "active"
    return persona.rpartition("/")[2]


def measure() -> list[tuple[str, str]]:
    """Return the lines of the table."""
    with running() as bench:
        return [
            *bench.compare("1 conversation", 1, SHORT, spread=0),
            *bench.compare("20 conversations (25 and 60 ms)", 20, LONG, spread=9),
            *bench.compare("20 at the same instant", 20, SHORT, spread=0),
            *bench.compare("100 conversations (150 ms)", 100, LONG, spread=9),
        ]


if __name__ == "__main__":
    for line in measure():
        print(*line, sep=": ")
