"""What is seen of the stack from outside while it reads mixed files: replies, and how far each persona is."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.system.client import Client, Event

ENDED = ("COMPLETED", "FAILED", "CANCELLED")  # a persona is told as failed while others of its files are read


@dataclass
class Talk:
    """One streamed reply: seconds from the question to each kind of event, up to the first token."""

    began: float
    asked: float = field(default_factory=time.monotonic)
    seen: dict[str, float] = field(default_factory=dict)
    failed: str = ""

    def hears(self, event: Event) -> None:
        """Note when an event came."""
        self.seen.setdefault(event.kind, time.monotonic() - self.asked)
        if event.kind in ("error", "cancelled"):
            self.failed = f"{event.kind}: {event.data}"

    @property
    def ended(self) -> bool:
        """Whether the first token is there, or none will come."""
        return bool({"token", "message", "error", "cancelled"} & self.seen.keys())

    @property
    def first_token(self) -> float:
        """Seconds; endless for a reply that had none."""
        return self.seen.get("token", math.inf)

    def told(self) -> str:
        """Say it in a line."""
        steps = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in self.seen.items())
        return f"at {self.began:.0f} s: {steps} {self.failed}".rstrip()


@dataclass
class Watched:
    """How far one persona is, and for how long it has looked the same."""

    name: str
    path: str
    status: dict[str, Any] = field(default_factory=dict)
    changed: float = field(default_factory=time.monotonic)
    standstill: float = 0.0
    stood: str = ""

    def look(self, api: Client) -> None:
        """Read the status once."""
        if self.is_over:
            return
        before, self.status = self.status, api.get(f"{self.path}/ingestion/status")
        still = time.monotonic() - self.changed
        if still > self.standstill:
            self.standstill, self.stood = still, _where(before)
        if _visible(before) != _visible(self.status):
            self.changed = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether all of its files have ended."""
        return bool(self.files) and all(file["status"] in ENDED for file in self.files)

    @property
    def files(self) -> list[dict[str, Any]]:
        """Its files as the status tells them."""
        return [file for job in self.status.get("jobs", ()) for file in job["files"]]

    @property
    def waiting(self) -> int:
        """Passages that are cut and have no vector yet."""
        return sum(job["passages"] - job["passages_done"] for job in self.status.get("jobs", ()))

    @property
    def done(self) -> int:
        """Passages that have vectors."""
        return sum(job["passages_done"] for job in self.status.get("jobs", ()))


def _visible(status: dict[str, Any]) -> Any:
    """Return what of a status moves when work does; not the clock of a step, which always does."""
    files = [file for job in status.get("jobs", ()) for file in job["files"]]
    each = sorted((f["run_id"], f["status"], f["step"], f["passages_done"], f["reason"]) for f in files)
    return status.get("overall_progress"), status.get("overall_status"), str(each)


def _where(status: dict[str, Any]) -> str:
    at = Counter(f"{f['step']} {f['status']}" for job in status.get("jobs", ()) for f in job["files"])
    return ", ".join(f"{count} {what}" for what, count in at.most_common(4))
