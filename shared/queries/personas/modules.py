"""Modules of prompts (seed 001)."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import TERMINAL
from shared.domain.template import DEEPEST_NESTING, Examined, examine, references, warnings_of
from shared.models import Conversation, ConversationState, Module, ModuleExecution
from shared.queries.rows import Slice, found, page, refusing_duplicates, removed
from shared.queries.scope import Scope, owned, owner_of
from shared.queries.work import engine, locks

NAME_TAKEN = "there is a module named {name!r} already: choose another name"


def get(session: Session, scope: Scope, module_id: UUID) -> Module:
    """Return the module; raises NotFound."""
    return found(session.scalar(owned(Module, scope).where(Module.id == module_id)), "module", module_id)


def find_active(session: Session, scope: Scope, name: str) -> Module | None:
    """Return the active module of this name, or None."""
    return session.scalar(owned(Module, scope).where(Module.is_active, Module.name == name))


def list_(
    session: Session,
    scope: Scope,
    *,
    type: str | None = None,
    active_only: bool = True,
    limit: int = 100,
    offset: int = 0,
) -> Slice[Module]:
    """Return modules, newest first; of one type where it is given, and active ones unless all are asked for."""
    statement = owned(Module, scope).order_by(Module.created_at.desc(), Module.id)
    if type is not None:
        statement = statement.where(Module.type == type)
    if active_only:
        statement = statement.where(Module.is_active)
    return page(session, statement, limit=limit, offset=offset)


def add(session: Session, scope: Scope, values: Mapping[str, Any]) -> Module:
    """Add a module, its script analysed; raises Conflict where the name is taken."""
    module = Module(**owner_of(scope), **values)
    with refusing_duplicates(session, NAME_TAKEN.format(name=values.get("name"))):
        session.add(module)
    return module


def update(session: Session, scope: Scope, module_id: UUID, values: Mapping[str, Any]) -> Module:
    """Change the given columns, a changed script analysed again; raises NotFound, Conflict."""
    module = get(session, scope, module_id)
    with refusing_duplicates(session, NAME_TAKEN.format(name=values.get("name"))):
        for column, value in values.items():
            setattr(module, column, value)
    return module


def delete_(session: Session, scope: Scope, module_id: UUID) -> list[tuple[int, int]]:
    """Delete a module with the states it left, its unfinished runs cancelled: what waits for them goes on.

    Returns (id, fence) of those that were running; raises NotFound.
    """
    module = get(session, scope, module_id)
    mine = select(ModuleExecution.id).where(ModuleExecution.module_id == module.id)
    locks.lock_work_then(session, [mine], lambda: _lock_with_conversations(session, module))
    unfinished = session.scalars(mine.where(ModuleExecution.status.not_in(TERMINAL))).all()
    running = engine.cancel_now(session, ModuleExecution, unfinished)
    removed(session, delete(Module).where(Module.id == module.id), of=module.id)
    return running


def _lock_with_conversations(session: Session, module: Module) -> None:
    """Lock the conversations in which a module's runs will end, or have a state, then the module, as replies do."""
    runs = select(ModuleExecution.conversation_id).where(ModuleExecution.module_id == module.id)
    states = select(ConversationState.conversation_id).where(ConversationState.module_id == module.id)
    unfinished = runs.where(ModuleExecution.status.not_in(TERMINAL))
    talks = select(Conversation.id).where(or_(Conversation.id.in_(unfinished), Conversation.id.in_(states)))
    session.execute(talks.order_by(Conversation.id).with_for_update(key_share=True))
    found(session.scalar(select(Module.id).where(Module.id == module.id).with_for_update()), "module", module.id)


def existing(session: Session, scope: Scope, names: Collection[str]) -> set[str]:
    """Return which of these names are those of active modules."""
    mine = owned(Module, scope).where(Module.is_active, Module.name.in_(names))
    return set(session.scalars(mine.with_only_columns(Module.name)))


def examine_template(session: Session, scope: Scope, template: str) -> Examined:
    """Say what a template refers to, and which of these modules there are."""
    return examine(template, existing(session, scope, references(template)))


def template_warnings(session: Session, scope: Scope, template: str) -> list[str]:
    """Say what is wrong with a template, given the modules that there are."""
    return warnings_of(template, existing(session, scope, references(template)))


def referred_to(session: Session, scope: Scope, template: str) -> dict[str, Module]:
    """Return the active modules that a template refers to, and those that their contents do, by name."""
    known: dict[str, Module] = {}
    missing: set[str] = set()
    texts = [template]
    for _ in range(DEEPEST_NESTING):
        names = {name for text in texts for name in references(text)} - known.keys() - missing
        if not names:
            break
        mine = owned(Module, scope).where(Module.is_active, Module.name.in_(names)).order_by(Module.name)
        found = session.scalars(mine).all()
        known |= {module.name: module for module in found}
        missing |= names - known.keys()
        texts = [module.content or "" for module in found]
    return known
