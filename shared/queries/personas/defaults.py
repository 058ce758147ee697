"""The persona and the modules that an installation begins with (seed 001's defaults)."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.stages import ExecutionContext, ModuleType
from shared.models import Module, Persona
from shared.queries.scope import Scope, owned, owner_of

SLUG = "ava"
LOCK = 0x5345_4544
TEMPLATE = """You are Ava, a helpful and friendly assistant. Answer clearly, and say so when you do not know.

@long_term_memory

The most recent messages:
@short_term_memory"""
FIRST_MESSAGE = "Hello, I am Ava. What can I do for you?"
SHORT_TERM = """history = ctx.get_recent_messages(30)
"""
LONG_TERM = """memories = ctx.get_memory_text()
if memories:
    memories = 'What you remember of the talk so far:\\n' + memories
"""
MODULES = {
    "short_term_memory": ("The last thirty messages, word for word", "${history}", SHORT_TERM),
    "long_term_memory": ("What the older part of the talk was compressed into", "${memories}", LONG_TERM),
}


def add_defaults(session: Session, scope: Scope) -> list[str]:
    """Add the default persona and modules that are not there yet, and return their names; one waits for another."""
    session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    modules = [name for name in MODULES if session.scalar(owned(Module, scope).where(Module.name == name)) is None]
    session.add_all(_module(scope, name) for name in modules)
    personas = [] if session.scalar(owned(Persona, scope).where(Persona.slug == SLUG)) else [_ava(scope)]
    session.add_all(personas)
    session.flush()
    return [*modules, *(persona.name for persona in personas)]


def _module(scope: Scope, name: str) -> Module:
    description, content, script = MODULES[name]
    return Module(
        **owner_of(scope),
        name=name,
        description=description,
        content=content,
        script=script,
        type=ModuleType.ADVANCED,
        execution_context=ExecutionContext.IMMEDIATE,
    )


def _ava(scope: Scope) -> Persona:
    return Persona(
        **owner_of(scope),
        slug=SLUG,
        name="Ava",
        description="A general assistant",
        template=TEMPLATE,
        first_message=FIRST_MESSAGE,
    )
