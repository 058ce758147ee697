"""What somebody asks to be run apart from any reply: a saved module, a script that is not saved, a template."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.domain.conversation import MessageRole
from shared.domain.stages import ModuleType, Purpose, RunInput
from shared.domain.trace import RunTrace
from shared.errors import Conflict, Invalid
from shared.logs import Correlation
from shared.models import Conversation, Message, Module, ModuleExecution, Persona, Turn, TurnTrace
from shared.models.turns import INTERACTIVE
from shared.queries.dialogue import conversations, executions
from shared.queries.personas import modules, personas
from shared.queries.rows import found, removed
from shared.queries.scope import Scope, owned, owner_of

TESTED = "test"  # the name of a script that is not saved
ATTEMPTS = 2  # somebody waits: a model that is away is told soon


@dataclass(frozen=True)
class Asked:
    """In what a run takes place; what is not given is the conversation's own."""

    conversation_id: UUID | None = None
    persona_id: UUID | None = None
    message: str | None = None


def add_run(
    session: Session, scope: Scope, module_id: UUID, asked: Asked, *, meta: Correlation | None = None
) -> ModuleExecution:
    """Add a run of a module; raises NotFound for what is somebody else's, Conflict for a module that is inactive."""
    module = modules.get(session, scope, module_id)
    if not module.is_active:
        raise Conflict("the module is inactive: set is_active first")
    return _add(session, scope, Purpose.RUN, asked, {}, meta, module_id=module.id)


def add_test(
    session: Session, scope: Scope, script: str, content: str, asked: Asked, *, meta: Correlation | None = None
) -> ModuleExecution:
    """Add a test of a script that is not saved; raises NotFound."""
    return _add(session, scope, Purpose.TEST, asked, {"script": script, "content": content}, meta)


def add_resolution(
    session: Session, scope: Scope, template: str | None, asked: Asked, *, meta: Correlation | None = None
) -> ModuleExecution:
    """Add the resolution of a template, by default the persona's; raises NotFound, and Invalid where there is none."""
    row = _add(session, scope, Purpose.RESOLVE, asked, {} if template is None else {"template": template}, meta)
    if template is None and situation(session, row).persona is None:
        raise Invalid("nothing to resolve: give a template, a persona_id, or the conversation_id of a persona's")
    return row


def _add(
    session: Session,
    scope: Scope,
    purpose: Purpose,
    asked: Asked,
    given: RunInput,
    meta: Correlation | None,
    **columns: Any,
) -> ModuleExecution:
    if asked.conversation_id is not None:
        conversations.get(session, scope, asked.conversation_id)
    if asked.persona_id is not None:
        personas.get(session, scope, asked.persona_id)
    row = ModuleExecution(
        **owner_of(scope),
        **columns,
        purpose=purpose,
        conversation_id=asked.conversation_id,
        input={**given, "persona_id": _text(asked.persona_id), "message": asked.message},
        priority=INTERACTIVE,
        retries=ATTEMPTS,
        status_meta=meta or {},
        ready_at=func.clock_timestamp(),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def get(session: Session, scope: Scope, execution_id: int) -> ModuleExecution:
    """Return a run, of whatever purpose; raises NotFound."""
    mine = owned(ModuleExecution, scope).where(ModuleExecution.id == execution_id)
    return found(session.scalar(mine), "module execution", execution_id)


@dataclass(frozen=True)
class Situation:
    """What a run finds around it; `system` is what the model was told for the last reply."""

    conversation: Conversation | None = None
    persona: Persona | None = None
    message: str | None = None
    reply: str | None = None
    system: str = ""
    states: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    @property
    def provider_type(self) -> str | None:
        """Who speaks, where the conversation says so."""
        return self.conversation.provider_type if self.conversation else None


def situation(session: Session, row: ModuleExecution) -> Situation:
    """Read what a run finds around it; a persona that was deleted meanwhile is none."""
    scope, given = Scope(row.owner_id), row.input.get("persona_id")
    persona = personas.find(session, scope, UUID(given)) if given else None
    conversation = conversations.find(session, scope, row.conversation_id) if row.conversation_id else None
    if conversation is None:
        return Situation(persona=persona, message=row.input.get("message"), system=persona.template if persona else "")
    persona = persona or conversation.persona
    return Situation(
        conversation,
        persona,
        row.input.get("message") or _last(session, conversation.id, MessageRole.USER),
        _last(session, conversation.id, MessageRole.ASSISTANT),
        _told(session, conversation.id) or (persona.template if persona else ""),
        executions.states(session, conversation.id),
    )


def _last(session: Session, conversation_id: UUID, role: MessageRole) -> str | None:
    said = select(Message.content).where(Message.conversation_id == conversation_id, Message.role == role)
    return session.scalar(said.order_by(Message.position.desc()).limit(1))


def _told(session: Session, conversation_id: UUID) -> str | None:
    """Return the system text of the conversation's newest reply."""
    told = TurnTrace.trace["messages"][0]["content"].astext
    mine = select(told).join(Turn, Turn.id == TurnTrace.turn_id).where(Turn.conversation_id == conversation_id)
    return session.scalar(mine.where(told.is_not(None)).order_by(Turn.id.desc()).limit(1))


def tested(row: ModuleExecution) -> Module:
    """Return the script of a test as a module, which is not saved."""
    script, content = row.input["script"], row.input["content"]
    return Module(owner_id=row.owner_id, name=TESTED, type=ModuleType.ADVANCED, script=script, content=content)


def save(row: ModuleExecution, variables: dict[str, Any], output: str, trace: RunTrace) -> None:
    """Keep what a run came to, for whoever asked; it leaves no state in the conversation."""
    row.variables, row.output, row.trace = variables, output, trace


def prune(session: Session, *, keep: timedelta, batch: int = 1000) -> int:
    """Delete up to `batch` runs that ended before `keep`, and say how many went; those of turns stay with them."""
    old = (
        select(ModuleExecution.id)
        .where(ModuleExecution.turn_id.is_(None), ModuleExecution.completed_date < func.clock_timestamp() - keep)
        .order_by(ModuleExecution.completed_date)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    return removed(session, delete(ModuleExecution).where(ModuleExecution.id.in_(old)))
