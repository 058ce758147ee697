"""What a module's script costs beside the same code run bare."""

import statistics
import time
from collections.abc import Callable

from shared.scripting.runner import Host, run

SCRIPT = "total = sum(n * n for n in range(100))\nsaid = f'{total} in all'"
RUNS = 300


def median_milliseconds(act: Callable[[], object]) -> float:
    """Return the median time of an act, after a few that do not count."""
    times = []
    for _ in range(RUNS + 20):
        started = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[20:])


def measure() -> list[tuple[str, str]]:
    """Return the lines of the table."""
    compiled = compile(SCRIPT, "script", "exec")
    bare = median_milliseconds(lambda: exec(compiled, {}))
    ours = median_milliseconds(lambda: run(SCRIPT, Host({})))
    return [
        ("a script, run bare (floor)", f"p50 {bare:.2f} ms"),
        ("a script in the sandbox", f"p50 {ours:.2f} ms, {ours - bare:.2f} over the floor; budget 5 ms"),
    ]
