"""How long a token takes through gateway, rows, broker, worker and stream; over the same fake model asked raw."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from deploy.local.ports import free_port
from tests.processes import ROOT
from tests.system.client import Client
from tests.system.stacks import Stack

ROUNDS = 5
QUESTION = "What did you write?"


@contextmanager
def raw_model() -> Iterator[str]:
    """The scripted model in a process of its own: 60 ms, then 20 tokens 20 ms apart; yields its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.openai_server", "--port", str(port)], cwd=ROOT)
    url = f"http://127.0.0.1:{port}/v1"
    try:
        _wait_for(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/models").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("the fake model did not start")


def first_token(client: httpx.Client, url: str, body: dict[str, object], mark: str) -> float:
    """Return the milliseconds from the request to the first line of the stream that holds the mark."""
    started = time.perf_counter()
    with client.stream("POST", url, json=body, headers={"Accept": "text/event-stream"}) as response:
        marked = [time.perf_counter() for line in response.iter_lines() if mark in line]
    return 1000 * (marked[0] - started)


def percentiles(ask: Callable[[int], float], concurrency: int) -> tuple[float, float]:
    """Return p50 and p95 over some rounds of that many at once."""
    with ThreadPoolExecutor(concurrency) as pool:
        times = [time for _ in range(ROUNDS) for time in pool.map(ask, range(concurrency))]
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def measure() -> list[tuple[str, str]]:
    """Return the lines of the table."""
    with tempfile.TemporaryDirectory() as folder, raw_model() as model:
        stack = Stack(Path(folder) / "data", {"PERSONAE_MODEL_URL": model, "PERSONAE_DB_POOL_SIZE": "5"})
        try:
            status = stack.start()
            with Client(status["gateway"]["url"], status["api_key"]) as api, httpx.Client(timeout=60) as http:
                return [line for concurrency in (1, 20) for line in _compare(api, http, status, model, concurrency)]
        finally:
            stack.stop()


def _compare(
    api: Client, http: httpx.Client, status: dict[str, object], model: str, concurrency: int
) -> Iterator[tuple[str, str]]:
    persona = api.post("personas", {"name": f"Bench {concurrency} {os.getpid()}", "template": "You are Ada."})["id"]
    talks = [api.post("conversations", {"persona_id": persona})["id"] for _ in range(concurrency)]
    key = {"Authorization": f"Bearer {status['api_key']}"}
    gateway = f"{status['gateway']['url']}/api/v1/conversations"  # type: ignore[index]
    raw = {"model": "fake", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    with httpx.Client(timeout=60, headers=key, limits=httpx.Limits(max_connections=200)) as client:
        first_token(client, f"{gateway}/{talks[0]}/messages", {"content": QUESTION}, "event: token")
        floor = percentiles(lambda _: first_token(http, f"{model}/chat/completions", raw, '"content"'), concurrency)
        ours = percentiles(
            lambda n: first_token(client, f"{gateway}/{talks[n]}/messages", {"content": QUESTION}, "event: token"),
            concurrency,
        )
    yield f"first token at {concurrency}: raw model (floor)", f"p50 {floor[0]:.0f} ms, p95 {floor[1]:.0f} ms"
    yield (
        f"first token at {concurrency}: through Personae",
        f"p50 {ours[0]:.0f} ms, p95 {ours[1]:.0f} ms; over the floor {ours[0] - floor[0]:.0f} and "
        f"{ours[1] - floor[1]:.0f} ms",
    )


if __name__ == "__main__":
    print(json.dumps(dict(measure()), indent=2))
