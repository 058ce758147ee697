"""What is sent to the database, counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

BESIDE = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class Recorder:
    """Notes the statements and commits of an engine while it records."""

    def __init__(self, engine: Engine) -> None:
        self.statements: list[str] = []
        self.commits = 0
        self._engine = engine

    @contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Record inside the block."""
        listening: dict[str, Callable[..., Any]] = {"before_cursor_execute": self._note, "commit": self._note_commit}
        for name, heard in listening.items():
            event.listen(self._engine, name, heard)
        try:
            yield self
        finally:
            for name, heard in listening.items():
                event.remove(self._engine, name, heard)

    def _note(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(BESIDE):
            self.statements.append(" ".join(statement.split()))

    def _note_commit(self, connection: object) -> None:
        self.commits += 1

    def told(self) -> str:
        """Say what was sent, for who has to find out why it became more."""
        sent = f"{len(self.statements)} statements in {self.commits} transactions"
        begins = Counter(statement[:150] for statement in self.statements)
        return "\n".join([sent, *(f"{count} x {begin}" for begin, count in begins.items())])
