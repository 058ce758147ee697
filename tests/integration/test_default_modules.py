"""The persona and modules that an installation begins with, run for real."""

import pytest
from sqlalchemy import func, select

from shared.db import Session
from shared.models import ConversationMemory, Message, Module, Persona
from shared.queries.dialogue import conversations
from shared.queries.personas import defaults, modules
from shared.queries.scope import Scope
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution, execute

MINE = Scope("seeded")


@pytest.fixture
def ava(session: Session) -> Persona:
    defaults.add_defaults(session, MINE)
    return session.scalars(select(Persona).where(Persona.owner_id == MINE.owner_id)).one()


def run(session: Session, ava: Persona, name: str) -> Execution:
    conversation = conversations.add(session, MINE, persona_id=ava.id)
    for number in range(3):
        session.add(Message(conversation_id=conversation.id, role="user", content=f"said\n{number}"))
        session.flush()
        ConversationMemory.store_memory(session, conversation.id, f"memory {number}", "1-3", 3)
    module = modules.referred_to(session, MINE, ava.template)[name]
    return execute(module, 1, Surroundings(MINE, conversation.id, ava.id), {})


def test_defaults_are_added_once(session: Session) -> None:
    assert defaults.add_defaults(session, MINE) == ["short_term_memory", "long_term_memory", "Ava"]
    assert defaults.add_defaults(session, MINE) == []
    assert session.scalar(select(func.count()).select_from(Module).where(Module.owner_id == MINE.owner_id)) == 2


def test_a_default_that_was_changed_stays_changed(session: Session, ava: Persona) -> None:
    ava.template = "Mine"
    defaults.add_defaults(session, MINE)
    session.refresh(ava)
    assert ava.template == "Mine"


@pytest.mark.capability("C37")
def test_short_term_memory_tells_the_last_messages_with_the_personas_first(session: Session, ava: Persona) -> None:
    lines = run(session, ava, "short_term_memory").variables["history"].splitlines()
    assert [line.partition("] ")[2] for line in lines] == [
        f"Assistant: {defaults.FIRST_MESSAGE}", "User: said 0", "User: said 1", "User: said 2",
    ]  # fmt: skip


@pytest.mark.capability("C81")
def test_long_term_memory_tells_the_newest_memories_oldest_first(session: Session, ava: Persona) -> None:
    assert run(session, ava, "long_term_memory").variables["memories"].splitlines()[1:] == [
        *(f"[messages 1-3] memory {number}" for number in range(3)),
    ]  # fmt: skip


def test_nothing_of_the_defaults_is_beyond_the_sandbox(session: Session, ava: Persona) -> None:
    for module in modules.referred_to(session, MINE, ava.template).values():
        assert module.script_analysis_metadata["language_gaps"] == []
        assert module.requires_ai_inference is False
