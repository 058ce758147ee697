"""What the listeners of a turn hear, in the order of design: turn, stage, token, message, done."""

from typing import Any

from shared import failures
from shared.providers.stream.pace import TurnWriter
from shared.providers.stream.stream import FOLLOWED, TurnStream
from shared.queries.dialogue import turns
from shared.queries.dialogue.turns import TurnContext


class Events:
    """The events of one attempt at a turn; an attempt after the first begins with `restart`."""

    def __init__(self, stream: TurnStream, context: TurnContext) -> None:
        self._writer = TurnWriter(stream, context.turn_id, context.fence)
        self._turn_id = context.turn_id
        self.conversation_id = context.conversation_id
        self.token = self._writer.token
        self.thinking = self._writer.thinking
        if context.fence > 1:
            self._writer.add("restart", {"turn_id": context.turn_id})
        self._writer.add("turn", {"turn_id": context.turn_id, "conversation_id": str(context.conversation_id)})

    def open(self) -> TurnWriter:
        """Return the context in which held words are sent in time, and at its end all of them."""
        return self._writer

    def stage(self, number: int, state: str) -> None:
        """Say which of the five stages begins."""
        self._writer.add("stage", {"stage": number, "state": state})

    def done(self, message: dict[str, Any], *, followed: bool) -> None:
        """Give the saved message, and end; where modules have `followed`, their rows tell the rest."""
        self._writer.add("message", message)
        self._writer.send(FOLLOWED, {}) if followed else self._writer.send("done", turns.end_of(message))

    def cancelled(self, message: dict[str, Any] | None) -> None:
        """Give what was saved before the cancel, if anything, and end."""
        if message is not None:
            self._writer.add("message", message)
        self._writer.send("cancelled", {})

    def revoke(self, thought: str) -> None:
        """Take back the text that was sent, which was a thought, and begin again with it as one."""
        self._writer.add("restart", {"turn_id": self._turn_id})
        self.thinking(thought)

    def waiting(self, reason: str, seconds: float) -> None:
        """Say why there is no reply yet, and when it is tried again."""
        self._writer.send("waiting", failures.waiting(reason, seconds))

    def error(self, reason: str | None) -> None:
        """Say why there is no reply, in the shape of every error, and end."""
        self._writer.send("error", failures.of_turn(reason))
