"""Seed 001, Project 2501: its examples, word for word but for the import lines."""

import enum
from datetime import datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import Column, DateTime, Integer

from shared import api
from shared.api.project_2501 import (
    Conversation,
    ConversationMemory,
    ConversationState,
    ExecutionContext,
    Message,
    MessageRole,
    Module,
    ModuleType,
    Persona,
)
from tests.conformance.inventory import example

pytestmark = pytest.mark.capability("C183")


@pytest.fixture
def persona(db):
    persona = Persona(name="Assistant", template="You are @greeting and @clock")
    db.add(persona)
    db.commit()
    return persona


@pytest.fixture
def module(db):
    module = Module(
        name="greeting",
        type=ModuleType.ADVANCED,
        execution_context=ExecutionContext.POST_RESPONSE,
        script="ctx.set_variable('greeting', ctx.generate('Say hello'))",
    )
    db.add(module)
    db.commit()
    return module


@pytest.fixture
def conv_id(db, persona):
    conversation = Conversation(title="Chat 1", persona_id=persona.id)
    db.add(conversation)
    db.commit()
    return conversation.id


def members(of):
    return {member.name: member.value for member in of}


@example("001", 1)
def test_base():
    class Base:
        id = Column(Integer, primary_key=True)
        created_at = Column(DateTime, default=datetime.utcnow)
        updated_at = Column(DateTime, default=datetime.utcnow, onupdate=datetime.utcnow)

    documented = {name for name in vars(Base) if not name.startswith("_")}
    assert all(documented <= set(model.__table__.columns.keys()) for model in (Persona, Module, Conversation, Message))


@example("001", 2)
def test_persona():
    persona = Persona(name="Assistant", template="You are @greeting_module")
    persona.conversations  # Access related conversations

    assert persona.conversations == []


@example("001", 3)
def test_module_enums():
    class ModuleType(str, enum.Enum):
        SIMPLE = "simple"        # Static text content
        ADVANCED = "advanced"    # Python script execution

    class ExecutionContext(str, enum.Enum):
        IMMEDIATE = "IMMEDIATE"          # Stage 1-2: During template resolution
        POST_RESPONSE = "POST_RESPONSE"  # Stage 4-5: After AI response
        ON_DEMAND = "ON_DEMAND"          # Only when explicitly triggered

    assert members(api.ModuleType) == members(ModuleType)
    assert members(api.ExecutionContext) == members(ExecutionContext)


@example("001", 4)
def test_module_methods(db, db_session, module, persona):
    stage_number, persona_id = 5, persona.id

    # Script analysis
    module.analyze_script()  # Returns analysis dict, updates requires_ai_inference
    module.refresh_ai_analysis(db_session)  # Re-analyze and persist

    # Context checking
    module.is_immediate_context  # Property: True if IMMEDIATE
    module.is_post_response_context  # Property: True if POST_RESPONSE
    module.is_on_demand_context  # Property: True if ON_DEMAND

    # Stage execution
    module.execution_stage_priority  # Integer: 1, 2, 4, 5, or 999
    module.get_stage_name()  # Human-readable stage description

    # Class methods
    Module.get_modules_for_stage(db, stage_number, persona_id)

    assert module.requires_ai_inference
    assert (module.is_immediate_context, module.is_post_response_context, module.is_on_demand_context) == (
        False, True, False,
    )
    assert module.execution_stage_priority == 5
    assert module.get_stage_name() == "Stage 5: post-response AI"
    assert Module.get_modules_for_stage(db, stage_number, persona_id) == [module]


@example("001", 5)
def test_conversation(db, persona):
    conversation = Conversation(title="Chat 1", persona_id=persona.id)
    db.add(conversation)
    db.flush()

    conversation.messages  # Access all messages
    conversation.persona   # Access persona

    assert conversation.messages == []
    assert conversation.persona is persona


@example("001", 6)
def test_message_role():
    class MessageRole(str, enum.Enum):
        USER = "user"
        ASSISTANT = "assistant"
        SYSTEM = "system"

    assert members(api.MessageRole) == members(MessageRole)


@example("001", 7)
def test_message(db, conv_id):
    conv = SimpleNamespace(id=conv_id)
    message = Message(
        conversation_id=conv.id,
        role=MessageRole.USER,
        content="Hello!",
        thinking="User is greeting"
    )

    db.add(message)
    db.flush()
    assert message.conversation.id == conv_id


@example("001", 8)
def test_execution_stage():
    class ExecutionStage(str, enum.Enum):
        STAGE4 = "stage4"  # POST_RESPONSE Non-AI
        STAGE5 = "stage5"  # POST_RESPONSE AI

    assert members(api.ExecutionStage) == members(ExecutionStage)


@example("001", 9)
def test_conversation_state_methods(db, conv_id, module):
    conversation_id, module_id, execution_stage = conv_id, module.id, "stage4"

    # Query methods
    ConversationState.get_for_conversation(db, conversation_id)
    ConversationState.get_latest_for_module(db, conversation_id, module_id)

    # Storage method
    ConversationState.store_execution_result(
        db, conversation_id, module_id, execution_stage,
        variables={'greeting': 'Hello!'},
        execution_metadata={'success': True, 'execution_time': 0.5}
    )

    state = ConversationState.get_latest_for_module(db, conversation_id, module_id)
    # Instance methods
    state.to_dict()  # Convert to dictionary for API

    assert state.to_dict()["variables"] == {"greeting": "Hello!"}
    assert state.to_dict()["module_name"] == "greeting"


@example("001", 10)
def test_conversation_memory_methods(db, conv_id):
    conversation_id, compressed_content, msg_id = conv_id, "We spoke of the sea.", "m25"

    # Query methods
    ConversationMemory.get_for_conversation(db, conversation_id)
    ConversationMemory.get_recent_memories(db, conversation_id, limit=10)
    ConversationMemory.get_next_sequence_number(db, conversation_id)

    # Storage methods
    ConversationMemory.store_memory(
        db, conversation_id, compressed_content,
        message_range="25-35", message_count=35,
        first_message_id=msg_id
    )

    stored = ConversationMemory.get_for_conversation(db, conversation_id).all()
    assert [(memory.memory_sequence, memory.original_message_range) for memory in stored] == [(1, "25-35")]
    assert ConversationMemory.get_next_sequence_number(db, conversation_id) == 2

    # Cleanup
    ConversationMemory.clear_all_memories(db, conversation_id)

    assert ConversationMemory.get_recent_memories(db, conversation_id) == []


@example("001", 11)
def test_persona_lifecycle(db):
    # Create
    persona = Persona(name="Assistant", template="Hello @greeting")
    db.add(persona)
    db.commit()

    persona_id = persona.id
    # Read
    persona = db.query(Persona).filter(Persona.id == persona_id).first()

    # Update
    persona.template = "Updated @greeting"
    db.commit()

    assert db.query(Persona.template).filter(Persona.id == persona_id).scalar() == "Updated @greeting"

    # Delete (cascades to conversations)
    db.delete(persona)
    db.commit()

    assert db.query(Persona).filter(Persona.id == persona_id).first() is None


@example("001", 12)
def test_module_lifecycle_with_analysis(db):
    # Create advanced module
    module = Module(
        name="TimeModule",
        type=ModuleType.ADVANCED,
        execution_context=ExecutionContext.IMMEDIATE,
        script="ctx.set_variable('time', ctx.get_current_time())"
    )

    # Automatic analysis on save
    module.analyze_script()  # Sets requires_ai_inference automatically

    db.add(module)
    db.commit()

    assert module.requires_ai_inference is False

    # Later: re-analyze after script changes
    module.script = "ctx.generate('Say hello')"
    module.refresh_ai_analysis(db)  # Updates requires_ai_inference to True
    db.commit()

    assert module.requires_ai_inference is True


@example("001", 13)
def test_conversation_and_messages_pattern(db, persona):
    # Create conversation
    conv = Conversation(title="Chat 1", persona_id=persona.id)
    db.add(conv)
    db.commit()

    # Add messages
    user_msg = Message(conversation_id=conv.id, role=MessageRole.USER, content="Hi")
    db.add(user_msg)

    assistant_msg = Message(
        conversation_id=conv.id,
        role=MessageRole.ASSISTANT,
        content="Hello!",
        thinking="User greeting detected"
    )
    db.add(assistant_msg)
    db.commit()

    # Query messages
    messages = db.query(Message).filter(
        Message.conversation_id == conv.id
    ).order_by(Message.created_at).all()

    assert messages == [user_msg, assistant_msg]


@example("001", 14)
def test_conversation_state_pattern(db, conv_id, module):
    module_id = module.id

    # Store module execution result
    ConversationState.store_execution_result(
        db,
        conversation_id=conv_id,
        module_id=module_id,
        execution_stage="stage4",
        variables={'count': 5, 'status': 'ready'},
        execution_metadata={'success': True, 'duration_ms': 150}
    )

    # Retrieve in next conversation
    previous_state = ConversationState.get_latest_for_module(
        db, conv_id, module_id
    )
    if previous_state:
        variables = previous_state.variables  # {'count': 5, 'status': 'ready'}

    assert variables == {'count': 5, 'status': 'ready'}


@example("001", 15)
def test_active_personas(db, persona):
    db.add(Persona(name="Retired", template="", is_active=False))

    personas = db.query(Persona).filter(
        Persona.is_active == True
    ).order_by(Persona.created_at.desc()).all()

    assert personas == [persona]


@example("001", 16)
def test_modules_by_stage(db, module):
    before = Module(name="mood", type="advanced", execution_context="IMMEDIATE", script="mood = ctx.reflect('How so?')")
    db.add(before)

    stage2_modules = db.query(Module).filter(
        Module.is_active == True,
        Module.execution_context == ExecutionContext.IMMEDIATE,
        Module.requires_ai_inference == True
    ).all()

    assert stage2_modules == [before]


@example("001", 17)
def test_recent_messages(db, conv_id):
    for number in range(21):
        db.add(Message(conversation_id=conv_id, role="user", content=str(number)))
        db.flush()

    recent_messages = db.query(Message).filter(
        Message.conversation_id == conv_id
    ).order_by(Message.created_at.desc()).limit(20).all()

    assert [message.content for message in recent_messages] == [str(number) for number in range(20, 0, -1)]


@example("001", 18)
def test_conversation_state_history(db, conv_id, module):
    ConversationState.store_execution_result(db, conv_id, module.id, "stage4", variables={"count": 1})
    ConversationState.store_execution_result(db, conv_id, module.id, "stage5", variables={"count": 2})

    states = ConversationState.get_for_conversation(db, conv_id).all()

    assert [state.variables["count"] for state in states] == [2, 1]


@example("001", 19)
def test_persona_creation(db_session):
    persona = Persona(name="Test", template="Test @module")
    db_session.add(persona)
    db_session.commit()

    assert persona.id is not None
    assert persona.created_at is not None


@example("001", 20)
def test_conversation_messages(db_session):
    persona = Persona(name="Test", template="Test")
    db_session.add(persona)

    conv = Conversation(title="Test Chat", persona_id=persona.id)
    db_session.add(conv)

    msg = Message(conversation_id=conv.id, role=MessageRole.USER, content="Hi")
    db_session.add(msg)
    db_session.commit()

    assert len(conv.messages) == 1
    assert conv.messages[0].content == "Hi"


@example("001", 21)
def test_conversation_cascade_delete(db_session):
    conv = Conversation(title="Test")
    db_session.add(conv)

    msg = Message(conversation_id=conv.id, role=MessageRole.USER, content="Test")
    db_session.add(msg)
    db_session.commit()

    db_session.delete(conv)
    db_session.commit()

    # Message should be deleted too
    assert db_session.query(Message).filter(Message.id == msg.id).first() is None


@example("001", 22)
def test_query_optimization(db, conv_id):
    # Use joinedload for known relationships
    from sqlalchemy.orm import joinedload

    conv = db.query(Conversation).options(
        joinedload(Conversation.messages),
        joinedload(Conversation.persona)
    ).filter(Conversation.id == conv_id).first()

    # Avoid N+1 queries
    conversations = db.query(Conversation).options(
        joinedload(Conversation.messages)
    ).all()

    assert conversations == [conv]


@example("001", 23)
def test_bulk_operations(db, conv_id):
    db.add(Module(name="weather", content="It rains.", type=ModuleType.SIMPLE))

    # Bulk insert
    messages = [Message(conversation_id=conv_id, role=MessageRole.USER, content=f"Msg {i}")
                for i in range(100)]
    db.bulk_save_objects(messages)
    db.commit()

    # Bulk update
    db.query(Module).filter(Module.type == ModuleType.SIMPLE).update({
        "execution_context": ExecutionContext.IMMEDIATE
    })
    db.commit()

    stored = db.query(Message).filter(Message.conversation_id == conv_id).order_by(Message.position)
    assert [message.content for message in stored] == [f"Msg {i}" for i in range(100)]
    assert db.query(Module.execution_context).filter(Module.name == "weather").scalar() == ExecutionContext.IMMEDIATE
