"""What a run, and the runs of other modules inside it, have taken of the limits that they share."""

import time
from collections import Counter
from dataclasses import dataclass, field

WALL_SECONDS = 120.0
MOST_CALLS = 200
DEEPEST = 3  # runs inside the outermost one


def _latest_end() -> float:
    return time.monotonic() + WALL_SECONDS


@dataclass
class Spending:
    """When it must have ended, by the monotonic clock, and how often each function was asked for."""

    until: float = field(default_factory=_latest_end)
    calls: Counter[str] = field(default_factory=Counter)

    def exhausted(self) -> str | None:
        """Say which limit has been reached."""
        if self.calls.total() >= MOST_CALLS:
            return f"a script may ask for {MOST_CALLS} things"
        if time.monotonic() > self.until:
            return f"a script may take {WALL_SECONDS:g} seconds"
        return None
