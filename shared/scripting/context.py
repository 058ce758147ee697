"""What a script is run in: whose it is, what was said, what its module remembers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared.domain.memory import UNCHANGED, Changes
from shared.domain.template import Warned
from shared.models import Module
from shared.providers.chat.chat import Reply
from shared.providers.chat.wire import ChatControls, ChatMessage
from shared.queries.scope import Scope
from shared.scripting.spending import Spending

MOST_LOG_LINES = 200


class Ask(Protocol):
    """A side call to the model."""

    def __call__(self, messages: Sequence[ChatMessage], controls: ChatControls) -> Reply:
        """Return the whole reply; raises Transient while the model is away, Rejected for good."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What all scripts of a stage have in common; `until` is the position of the turn's question."""

    scope: Scope
    conversation_id: UUID | None = None
    persona_id: UUID | None = None
    last_user_message: str | None = None
    ai_response: str | None = None
    response_metadata: Mapping[str, Any] = field(default_factory=dict)
    until: int | None = None
    system: str = ""
    remembered: Mapping[str, Any] = field(default_factory=dict)
    ask: Ask | None = None
    budget: int = 1200  # tokens of prompt and reply
    longest_reply: int = 400  # tokens
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    seed: int | None = None
    changes: Changes = UNCHANGED  # what scripts before this one did
    is_last_attempt: bool = False  # the script is told that the model is away: nobody tries again

    def attributes(self) -> dict[str, Any]:
        """Return what a script may read as a plain name or as an attribute of `ctx`."""
        return {
            "conversation_id": _text(self.conversation_id),
            "persona_id": _text(self.persona_id),
            "last_user_message": self.last_user_message or "",
            "ai_response": self.ai_response or "",
            "response_metadata": dict(self.response_metadata),
        }


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


class ModuleResult(NamedTuple):
    """What became of a module that a script ran."""

    success: bool
    output: str
    variables: dict[str, Any]
    error: str | None


@dataclass
class Context:
    """One run: what `ctx` stands for; `stored` is what the module kept in earlier turns, `variables` in this run.

    `path` names the modules that run inside each other, this one last; `inside` runs one more.
    """

    surroundings: Surroundings
    module_name: str
    stage: int | None
    stored: Mapping[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    logged: list[str] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    asked: int = 0
    asked_seconds: float = 0.0
    path: tuple[UUID, ...] = ()
    spending: Spending = field(default_factory=Spending)
    reflections: list[dict[str, Any]] = field(default_factory=list)
    changes: Changes = UNCHANGED
    inside: Callable[[Module, Mapping[str, Any]], ModuleResult] | None = None

    def conversation(self, given: str | None = None) -> UUID | None:
        """Return the id of the conversation meant, by default the run's own; None for text that is no id."""
        if given is None:
            return self.surroundings.conversation_id
        try:
            return UUID(given)
        except (ValueError, AttributeError):
            return None

    def warn(self, kind: str, message: str) -> None:
        """Note something that the module had to go without."""
        self.warnings.append(Warned(self.module_name, kind, message, self.stage))

    def log(self, line: str) -> None:
        """Keep a line for the trace."""
        if len(self.logged) < MOST_LOG_LINES:
            self.logged.append(line)

    def take_over(self, inner: "Context") -> None:
        """Count what a run inside this one asked and logged as this one's own."""
        self.asked += inner.asked
        self.asked_seconds += inner.asked_seconds
        for line in inner.logged:
            self.log(line)
