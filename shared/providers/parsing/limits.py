"""What reading one document may cost."""

from typing import NamedTuple

from shared.settings import Settings


class Limits(NamedTuple):
    """Bounds on the process that reads a document, and how it cuts a long PDF (pages a part, parts at once)."""

    wall_seconds: float = 300.0
    cpu_seconds: int = 120
    megabytes: int = 2048  # of address space
    characters: int = 50_000_000
    part_pages: int = 100
    parts_at_once: int = 2

    def too_much_computing(self) -> str:
        """Say that a document takes too long, however busy the machine is."""
        return f"it took more than {self.cpu_seconds} s of computing to read"

    def too_much_memory(self) -> str:
        """Say that a document needs more memory than there is for it."""
        return f"reading it takes more than {self.megabytes} MB of memory"


def limits_of(settings: Settings) -> Limits:
    """Return what the operator allows."""
    return Limits(
        settings.parse_seconds,
        settings.parse_cpu_seconds,
        settings.parse_megabytes,
        settings.parse_characters,
        settings.parse_split_pages,
        settings.parse_split_workers,
    )
