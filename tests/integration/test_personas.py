"""Personas, modules and what modules leave behind."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.domain.stages import ExecutionContext
from shared.errors import Conflict, NotFound
from shared.models import Conversation, ConversationMemory, ConversationState, DataSource, Message, Module, Persona
from shared.queries.dialogue import conversations
from shared.queries.personas import personas
from shared.queries.scope import DEFAULT_SCOPE, Scope

OTHER = Scope("other")


def test_a_slug_is_derived_from_the_name_and_numbered_on_a_clash(session: Session):
    session.add(Persona(name="Ștefan cel Mare"))
    session.flush()
    together = [Persona(name="Ștefan cel Mare"), Persona(name="Ștefan cel Mare"), Persona(name="Ștefan")]
    session.add_all(together)
    session.flush()
    assert [persona.slug for persona in together] == ["stefan-cel-mare-2", "stefan-cel-mare-3", "stefan"]


def test_owners_have_slugs_of_their_own(session: Session):
    mine = personas.add(session, DEFAULT_SCOPE, {"name": "Ada"})
    theirs = personas.add(session, OTHER, {"name": "Ada"})
    assert mine.slug == theirs.slug == "ada"


def test_a_given_slug_that_is_taken_is_refused(session: Session):
    personas.add(session, DEFAULT_SCOPE, {"slug": "ada"})
    other = personas.add(session, DEFAULT_SCOPE, {"name": "Bob"})
    with pytest.raises(Conflict):
        personas.add(session, DEFAULT_SCOPE, {"slug": "ada"})
    with pytest.raises(Conflict):
        personas.update(session, DEFAULT_SCOPE, other.id, {"slug": "ada"})
    assert personas.count(session, DEFAULT_SCOPE) == 2


def test_each_seeds_form_of_a_persona_is_enough(session: Session):
    by_template = Persona(name="Assistant", template="You are @greeting")
    by_voice = Persona(persona_id="tesla", display_name="Nikola Tesla", voice_prompt="You are Nikola Tesla.")
    by_profile = Persona(raw_text="Ada wrote.", persona={"meta": {"name": "Ada"}})
    by_nothing = Persona()
    session.add_all([by_template, by_voice, by_profile, by_nothing])
    session.flush()
    assert [persona.slug for persona in (by_template, by_voice, by_profile, by_nothing)] == [
        "assistant",
        "tesla",
        "ada",
        "unnamed",
    ]
    assert [persona.template for persona in (by_template, by_voice, by_profile)] == [
        "You are @greeting",
        "You are Nikola Tesla.",
        "You are Ada.",
    ]
    assert (by_nothing.status, by_nothing.color, by_nothing.is_active) == ("draft", "#666666", True)


def test_a_persona_is_listed_when_active_or_with_nothing_to_ingest(session: Session):
    empty = personas.add(session, DEFAULT_SCOPE, {"name": "empty"})
    with_files = personas.add(session, DEFAULT_SCOPE, {"name": "with files"})
    ingested = personas.add(session, DEFAULT_SCOPE, {"name": "ingested", "status": "active"})
    personas.add(session, DEFAULT_SCOPE, {"name": "failed", "status": "failed"})
    personas.add(session, DEFAULT_SCOPE, {"name": "retired", "status": "active", "is_active": False})
    session.add(DataSource(persona_id=with_files.id, collection_type="works", file_name="a", file_path="a"))
    session.flush()
    assert set(personas.list_(session, DEFAULT_SCOPE, listed_only=True)) == {empty, ingested}
    assert personas.list_(session, DEFAULT_SCOPE, status="active", limit=1, offset=1) == [ingested]


def test_another_owner_finds_changes_and_deletes_nothing(session: Session):
    persona = personas.add(session, DEFAULT_SCOPE, {"name": "Ada"})
    assert personas.list_(session, OTHER) == []
    assert personas.delete_(session, OTHER, persona.id) is False
    with pytest.raises(NotFound):
        personas.update(session, OTHER, persona.id, {"name": "Mine"})
    with pytest.raises(NotFound):
        conversations.add(session, OTHER, persona_id=persona.id)
    assert personas.list_(session, DEFAULT_SCOPE) == [persona]


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        pytest.param({"mode": "autonomous", "loop_frequency": "5.0"}, True, id="text, as seed 001 writes it"),
        pytest.param({"mode": "autonomous"}, True, id="autonomous, at no set pace"),
        pytest.param({"mode": "reactive", "loop_frequency": "5.0"}, False, id="reactive"),
        pytest.param({"mode": "autonomous", "loop_frequency": "0"}, False, id="never"),
        pytest.param({"mode": "dreaming"}, False, id="an unknown mode"),
    ],
)
def test_only_an_autonomous_persona_has_a_pace(session: Session, values: dict[str, str], accepted: bool):
    persona = Persona(name="Ada", **values)
    session.add(persona)
    if not accepted:
        with pytest.raises(IntegrityError):
            session.flush()
        return
    session.flush()
    session.refresh(persona)
    assert persona.loop_frequency == (5.0 if "loop_frequency" in values else None)


def test_a_conversation_begins_with_the_personas_first_message(session: Session):
    persona = personas.add(session, DEFAULT_SCOPE, {"name": "Ada", "first_message": "Good day."})
    silent = personas.add(session, DEFAULT_SCOPE, {"name": "Bob", "first_message": "  "})
    conversation = conversations.add(session, DEFAULT_SCOPE, persona_id=persona.id)
    assert [(message.role, message.content) for message in conversation.messages] == [("assistant", "Good day.")]
    assert conversations.add(session, DEFAULT_SCOPE, persona_id=silent.id).messages == []


def test_deleting_a_persona_deletes_its_conversations(session: Session):
    persona = personas.add(session, DEFAULT_SCOPE, {"name": "Ada", "first_message": "Good day."})
    conversations.add(session, DEFAULT_SCOPE, persona_id=persona.id)
    assert personas.delete_(session, DEFAULT_SCOPE, persona.id) is True
    assert session.query(Conversation).count() == 0
    assert session.query(Message).count() == 0


def module(name: str, **columns: object) -> Module:
    return Module(name=name, **columns)


@pytest.mark.parametrize(
    ("stage", "names"),
    [(1, ["after", "after_ai", "before", "text"]), (2, ["before_ai"]), (3, []), (4, ["after"]), (5, ["after_ai"])],
)
def test_modules_run_in_their_stage_and_stage_one_fills_in_earlier_results(
    session: Session, stage: int, names: list[str]
):
    before, after = ExecutionContext.IMMEDIATE, ExecutionContext.POST_RESPONSE
    session.add_all(
        [
            module("text", content="It rains."),
            module("before", type="advanced", execution_context=before, script="a = 1"),
            module("before_ai", type="advanced", execution_context=before, script="a = ctx.generate('x')"),
            module("after", type="advanced", execution_context=after, script="a = 1"),
            module("after_ai", type="advanced", execution_context=after, script="a = ctx.reflect('x')"),
            module("asked", type="advanced", script="a = 1"),
            module("off", is_active=False),
            module("theirs", owner_id="other"),
        ]
    )
    session.flush()
    assert [found.name for found in Module.get_modules_for_stage(session, stage)] == names


def test_a_personas_stage_has_only_the_modules_its_template_refers_to(session: Session):
    refers = Persona(name="Ada", template=r"@weather and \@news and @weather_now")
    plain = Persona(name="Bob", template="no module")
    session.add_all([module("weather"), module("news"), refers, plain])
    session.flush()
    assert [found.name for found in Module.get_modules_for_stage(session, 1, refers.id)] == ["weather"]
    assert Module.get_modules_for_stage(session, 1, plain.id) == []
    assert Module.get_modules_for_stage(session, 1, uuid4()) == []


@pytest.mark.parametrize("name", ["1st", "with space", "a" * 51, "a-b", ""])
def test_a_module_that_cannot_be_referred_to_is_refused(session: Session, name: str):
    session.add(module(name))
    with pytest.raises(IntegrityError):
        session.flush()


def test_a_script_is_analysed_when_it_is_saved_and_when_it_changes(session: Session):
    saved = module("mood", type="advanced", script="ctx.generate('x')")
    session.add(saved)
    session.flush()
    assert saved.requires_ai_inference is True
    saved.script = "mood = 'calm'"
    session.flush()
    session.refresh(saved)
    assert saved.requires_ai_inference is False
    assert saved.script_analysis_metadata["analyzed_at"]


def test_the_latest_state_replaces_the_one_before(session: Session):
    conversation, saved = Conversation(), module("mood")
    session.add_all([conversation, saved])
    session.flush()
    for mood in ("calm", "cross"):
        state = ConversationState.store_execution_result(
            session, conversation.id, saved.id, "stage4", variables={"mood": mood}
        )
    assert session.query(ConversationState).all() == [state]
    assert state.variables == {"mood": "cross"}


def test_states_and_memories_go_with_their_conversation(session: Session):
    conversation, saved = Conversation(), module("mood")
    session.add_all([conversation, saved])
    session.flush()
    ConversationState.store_execution_result(session, conversation.id, saved.id, "stage4", variables={})
    ConversationMemory.store_memory(session, conversation.id, "We spoke.", "25-35", 35)
    conversations.delete_(session, DEFAULT_SCOPE, conversation.id)
    assert session.query(ConversationState).count() == 0
    assert session.query(ConversationMemory).count() == 0


def test_memories_are_numbered_from_one(session: Session):
    conversation = conversations.add(session, DEFAULT_SCOPE)
    for text in ("one", "two"):
        ConversationMemory.store_memory(session, conversation.id, text, "25-35", 35)
    newest_first = ConversationMemory.get_recent_memories(session, conversation.id, limit=1)
    assert [(memory.memory_sequence, memory.compressed_content) for memory in newest_first] == [(2, "two")]
    assert ConversationMemory.clear_all_memories(session, conversation.id) == 2
    assert ConversationMemory.get_next_sequence_number(session, conversation.id) == 1
