"""Fifty mixed files on the embedded stack with its bundled models: does each end, and does nobody wait for the others?

Three personas read them. While many passages wait, a fourth is given two quotes, and somebody talks to the first one.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from tests.bench import mixed_files
from tests.bench.mixed_files import Mixed
from tests.bench.mixed_seen import ENDED, Talk, Watched
from tests.system import library
from tests.system.client import Client
from tests.system.stacks import Stack

READERS = 3
QUOTE = "A lighthouse keeper never asks the fog for its opinion."
QUOTES = mixed_files.quotes([QUOTE, "Whoever winds the clock owns a little of the hour."])
QUESTIONS = itertools.cycle(  # each other than the one before: a prompt that was read before is not read again
    f"What did {who} {did} {where}?"
    for where in ("by the river", "at the market", "in the cellar")
    for who in ("the clockmaker", "my sister", "the captain", "the baker")
    for did in ("repair", "find", "sell", "hide", "paint")
)
TALK_EVERY, SEARCH_EVERY, LOOK_EVERY, SAY_EVERY = 20.0, 0.5, 1.0, 20.0
FIRST_TOKEN, QUOTE_FOUND, STANDSTILL = 5.0, 60.0, 10.0  # the promises, in seconds
BURN = "while True: pass"


@dataclass
class Bench:
    """A running stack, and what was seen of it."""

    status: dict[str, Any]
    wanted: int
    started: float = field(default_factory=time.monotonic)
    over: threading.Event = field(default_factory=threading.Event)
    talks: list[Talk] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    waited: int = 0  # passages that waited when the quotes were sent
    most: int = 0
    said: float = 0.0
    quote: float | None = None  # seconds until it was found

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def client(self) -> Client:
        """Return a client of the administrator; one for each thread."""
        return Client(self.status["gateway"]["url"], self.status["api_key"])

    def read(self, files: Sequence[Mixed]) -> list[Watched]:
        """Give every third file to the same persona, and have them read."""
        watched = []
        with self.client() as api:
            for number in range(READERS):
                watched.append(Watched(f"reader {number + 1}", library.add_persona(api)))
                self._upload(api, watched[-1].path, files[number::READERS])
            for each in watched:
                api.post(f"{each.path}/ingest", status=202)
        return watched

    def _upload(self, api: Client, persona: str, files: Sequence[Mixed]) -> None:
        for collection in sorted({file.collection for file in files}):
            some = {file.name: file.data for file in files if file.collection == collection}
            answer = library.upload(api, persona, some, collection)
            self.refused |= {skipped["file_name"]: skipped["reason"] for skipped in answer.get("skipped", ())}

    def watch(self, watched: Sequence[Watched], until: float) -> None:
        """Look at the personas until they are over, and send the quotes when enough passages wait."""
        with self.client() as api, ExitStack() as threads:
            self._beside(threads, lambda: self._talk(watched[0].path))
            while not all(each.is_over for each in watched) and self.now < until:
                for each in watched:
                    each.look(api)
                self.most = max(self.most, sum(each.waiting for each in watched))
                if not self.waited and self.most >= self.wanted:
                    self.waited = sum(each.waiting for each in watched)
                    self._beside(threads, self._find_quote)
                self._say(watched)
                time.sleep(LOOK_EVERY)

    def _say(self, watched: Sequence[Watched]) -> None:
        """Tell now and then how far it is: it takes long."""
        if self.now < self.said + SAY_EVERY:
            return
        self.said = self.now
        done, waiting = sum(each.done for each in watched), sum(each.waiting for each in watched)
        said = f"{self.now:.0f} s: {done} passages done, {waiting} wait; load {os.getloadavg()[0]:.1f}"
        print(said, self.talks[-1].told() if self.talks else "", file=sys.stderr, flush=True)

    def _beside(self, threads: ExitStack, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        threads.callback(thread.join)
        threads.callback(self.over.set)

    def _find_quote(self) -> None:
        began = time.monotonic()
        with self.client() as api:
            persona = library.add_persona(api)
            library.upload(api, persona, {"two.jsonl": QUOTES}, "quotes")
            api.post(f"{persona}/ingest", status=202)
            body = {"query": QUOTE, "persona_id": persona.rpartition("/")[2], "limit": 1}
            while not self.over.wait(SEARCH_EVERY):
                found = api.post("search", body, status=200)["items"]
                if found and found[0]["similarity"] is not None and QUOTE in found[0]["content"]:
                    self.quote = time.monotonic() - began
                    return

    def _talk(self, persona: str) -> None:
        with self.client() as api:
            while not self.over.is_set():
                self.talks.append(Talk(self.now))
                _ask(api, persona, self.talks[-1])
                self.over.wait(max(0.0, self.talks[-1].began + TALK_EVERY - self.now))


def _ask(api: Client, persona: str, talk: Talk) -> None:
    try:
        added = api.post("conversations", {"persona_id": persona.rpartition("/")[2]})
        body = {"content": next(QUESTIONS)}
        with api.streaming("POST", f"conversations/{added['id']}/messages", json=body) as events:
            turn = next(events)
            talk.hears(turn)
            while not talk.ended:
                talk.hears(next(events))
        api.post(f"turns/{turn.data['turn_id']}/cancel", status=202)
    except (httpx.HTTPError, AssertionError, StopIteration) as error:
        talk.failed = repr(error)


@contextmanager
def burning(count: int) -> Iterator[None]:
    """Have that many processes burn CPU."""
    processes = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait(10)


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """The embedded stack with the bundled models, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "data")
        try:
            yield stack.start()
        finally:
            stack.stop()


@dataclass(frozen=True)
class Outcome:
    """What became of the files: those that are whole and failed are the fault of nobody but us."""

    completed: int
    for_a_reason: dict[str, str]
    wrongly: dict[str, str]
    unfinished: int

    @classmethod
    def of(cls, files: Sequence[Mixed], watched: Sequence[Watched], refused: dict[str, str]) -> "Outcome":
        """Sort them."""
        told = {each["file_name"]: each for one in watched for each in one.files}
        reasons = {name: each["reason"] or "" for name, each in told.items() if each["status"] in ENDED[1:]} | refused
        whole = {file.name: file.is_whole for file in files}
        wrongly = {name: said for name, said in reasons.items() if whole[name] or not said}
        own = {name: said for name, said in reasons.items() if name not in wrongly}
        completed = sum(each["status"] == "COMPLETED" for each in told.values())
        return cls(completed, own, wrongly, len(files) - completed - len(reasons))


def measure(files: Sequence[Mixed], *, wanted: int, minutes: float) -> tuple[list[tuple[str, str]], Outcome]:
    """Return the lines of the table, and what became of the files."""
    with running() as status:
        bench = Bench(status, wanted)
        watched = bench.read(files)
        bench.watch(watched, 60 * minutes)
        outcome = Outcome.of(files, watched, bench.refused)
        return [*_of_files(bench, files, watched, outcome), *_of_waiting(bench, watched)], outcome


def _of_files(
    bench: Bench, files: Sequence[Mixed], watched: Sequence[Watched], outcome: Outcome
) -> Iterator[tuple[str, str]]:
    yield "files", f"{len(files)}: {outcome.completed} completed, {outcome.unfinished} unfinished at {bench.now:.0f} s"
    done, waiting = sum(each.done for each in watched), sum(each.waiting for each in watched)
    yield "passages", f"{done} done, {waiting} wait, {done / bench.now:.1f}/s; at most {bench.most} waited"
    for name, reason in outcome.for_a_reason.items():
        yield f"    {name}", reason
    for name, reason in outcome.wrongly.items():
        yield f"    WRONGLY FAILED {name}", reason or "for no reason"


def _of_waiting(bench: Bench, watched: Sequence[Watched]) -> Iterator[tuple[str, str]]:
    found = "not found" if bench.quote is None else f"found after {bench.quote:.1f} s"
    sent = f"{found}, sent while {bench.waited} passages waited" if bench.waited else "never sent: too few waited"
    yield f"two quotes ({QUOTE_FOUND:g} s)", sent
    first = [talk.first_token for talk in bench.talks]
    late = [talk for talk in bench.talks if talk.first_token > FIRST_TOKEN or talk.failed]
    said = f"p50 {statistics.median(first):.1f} s, worst {max(first):.1f} s, {len(late)} of {len(first)} late or failed"
    yield f"first token ({FIRST_TOKEN:g} s)", said
    yield from ((f"    late or failed, {n}", talk.told()) for n, talk in enumerate(late, 1))
    for each in watched:
        yield f"standstill, {each.name} ({STANDSTILL:g} s)", f"{each.standstill:.1f} s: {each.stood}"


def main() -> int:
    """Measure, print the table; 1 when a file that is whole failed, or a broken one without a reason."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--busy", type=int, default=0, help="processes that burn CPU meanwhile")
    options.add_argument("--limit-minutes", type=float, default=60.0, help="then tell how far it came")
    options.add_argument("--passages", type=int, default=2000, help="that wait when the quotes are sent")
    options.add_argument("--scale", type=float, default=1.0, help="makes the files longer or shorter")
    chosen = options.parse_args()
    files = mixed_files.write(chosen.scale)
    with burning(chosen.busy):
        lines, outcome = measure(files, wanted=chosen.passages, minutes=chosen.limit_minutes)
    table = Table("what", "measured", title=f"make bench-mixed, beside {chosen.busy} busy processes")
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    return 1 if outcome.wrongly else 0


if __name__ == "__main__":
    sys.exit(main())
