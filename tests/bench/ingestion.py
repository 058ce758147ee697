"""How fast 200 documents become searchable through the real processes, and beside LlamaIndex where it is installed."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from deploy.local.data.ports import free_port
from shared.domain.persona import CollectionType
from shared.domain.retrieval import DEFAULTS, effective
from shared.settings import Settings
from tests.bench import documents, embedder
from tests.bench.turns import served
from tests.processes import ROOT, until
from tests.system import library
from tests.system.client import Client
from tests.system.stacks import Stack, ask

DOCUMENTS = 200
WARM_UP = 10
FILES_PER_UPLOAD = 25
ROUNDS = 3
PEERS = ROOT / ".venv-peers" / "bin" / "python"
BATCH = Settings().embedding_batch
CUT = effective(DEFAULTS[CollectionType.WORKS], window=Settings().embedding_window)
ENDED = """
    SELECT extract(epoch FROM max(run.completed_date)) FROM workflowrun run
    JOIN ingestion_jobs job ON job.run_group_id = run.run_group_id
    WHERE job.persona_id = %s HAVING bool_and(run.status = 'COMPLETED')"""
PASSAGES = "SELECT count(*) FROM knowledge_chunks JOIN embeddings USING (content_hash) WHERE persona_id = %s"


class Round(NamedTuple):
    """What bringing the documents in took; CPU seconds by process."""

    seconds: float
    vectors: int
    cpu: dict[str, float]

    def told(self) -> str:
        """Say it in a line."""
        return f"{DOCUMENTS / self.seconds:.0f} documents/s, {self.vectors / self.seconds:.0f} vectors/s"


class Bench:
    """A running stack, and the embedding server that it asks."""

    def __init__(self, stack: Stack, api: Client, database: str, url: str) -> None:
        self._stack = stack
        self._api = api
        self._database = database
        self._url = url

    def ours(self, files: Sequence[Path]) -> Round:
        """Upload the documents to a new persona and have them ingested; the clock stops when the last run ended."""
        persona = library.add_persona(self._api)
        before, started = self._cpu(), time.time()
        for start in range(0, len(files), FILES_PER_UPLOAD):
            few = files[start : start + FILES_PER_UPLOAD]
            library.upload(self._api, persona, {path.name: path.read_bytes() for path in few})
        self._api.post(f"{persona}/ingest", status=202)
        persona_id = persona.rpartition("/")[2]
        ended = until(lambda: self._ask(ENDED, persona_id), 110)
        after = self._cpu()
        spent = {name: after[name] - before.get(name, 0.0) for name in after}
        return Round(float(ended) - started, self._ask(PASSAGES, persona_id), spent)

    def _ask(self, statement: str, persona_id: str) -> Any:
        time.sleep(0.1)
        return next((value for (value,) in ask(self._database, statement, persona_id)), None)

    def _cpu(self) -> dict[str, float]:
        """Return the CPU seconds of each child of the supervisor, with those of its own children."""
        pids = {child["name"]: child["identity"][0] for child in self._stack.state()["children"] if child["identity"]}
        return {name: sum(map(_seconds, _family(pid))) for name, pid in pids.items()}

    def llamaindex(self, warm_up: Path, folder: Path) -> Round:
        """Have LlamaIndex do the same in memory."""
        sizes = {"size": CUT.chunk_size, "overlap": CUT.chunk_overlap, "batch": BATCH, "url": self._url}
        options = [f"--{name}={value}" for name, value in sizes.items()]
        words = [str(PEERS), "-m", "tests.bench.llamaindex", str(warm_up), str(folder), *options]
        done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
        said = json.loads(done.stdout.splitlines()[-1])
        return Round(said["seconds"], said["vectors"], {"llamaindex": said["cpu"]})


def _family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    """Count those of its dead children too; one that ends meanwhile is counted by its parent."""
    with suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:4])
    return 0.0


@contextmanager
def running() -> Iterator[Bench]:
    """A stack of its own beside the embedding server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    with tempfile.TemporaryDirectory() as folder, served("tests.bench.embedder", port):
        names = {"PERSONAE_MODEL_URL": url, "PERSONAE_EMBEDDING_MODEL": embedder.MODEL}
        stack = Stack(Path(folder) / "data", names)
        try:
            status = stack.start()
            with Client(status["gateway"]["url"], status["api_key"]) as api:
                yield Bench(stack, api, status["postgres"]["url"], url)
        finally:
            stack.run("down")


def measure() -> list[tuple[str, str]]:
    """Return the lines of the table."""
    ours, theirs = [], []
    with running() as bench, tempfile.TemporaryDirectory() as folder:
        warm_up = documents.write(Path(folder) / "warm-up", WARM_UP, seed=0)
        bench.ours(warm_up)
        for number in range(1, ROUNDS + 1):
            files = documents.write(Path(folder) / str(number), DOCUMENTS, seed=number)
            ours.append(bench.ours(files))
            if PEERS.exists():
                theirs.append(bench.llamaindex(warm_up[0].parent, files[0].parent))
    return [*_lines("Personae, durable", ours), *_lines("LlamaIndex, in memory", theirs), *_ratio(ours, theirs)]


def _lines(name: str, rounds: Sequence[Round]) -> Iterator[tuple[str, str]]:
    if rounds:
        middle = _median(rounds)
        cpu = {process: 1000 * seconds / DOCUMENTS for process, seconds in middle.cpu.items()}
        shares = ", ".join(f"{process} {share:.1f}" for process, share in cpu.items() if share >= 0.1)
        yield f"{DOCUMENTS} documents: {name}", middle.told()
        yield "    CPU per document", f"{sum(cpu.values()):.1f} ms: {shares}"


def _median(rounds: Sequence[Round]) -> Round:
    return sorted(rounds, key=lambda each: each.seconds)[len(rounds) // 2]


def _ratio(ours: Sequence[Round], theirs: Sequence[Round]) -> Iterator[tuple[str, str]]:
    if not theirs:
        yield "    beside LlamaIndex", "not installed: make bench-peers"
        return
    ratios = [theirs[i].seconds / ours[i].seconds for i in range(len(ours))]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    yield "    ours to theirs", f"{statistics.median(ratios):.2f} of its rate (rounds: {each}); budget 0.5, aim 1.0"


if __name__ == "__main__":
    for what, measured in measure():
        print(f"{what:44} {measured}")
