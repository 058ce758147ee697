"""Seed 003, MiniPilot: its examples, word for word but for the import lines."""

import pytest

from shared.api.minipilot import (
    Conversation,
    KnowledgeChunk,
    Message,
    MessageSenderType,
    User,
    add_message,
    bulk_upsert_knowledge_chunks,
    create_conversation,
    create_user,
    get_session,
    get_user_by_email,
    init_db,
    list_conversations_for_user,
    list_messages_for_conversation,
    upsert_knowledge_chunk,
)
from tests.conformance.inventory import example

pytestmark = pytest.mark.capability("C183")


@pytest.fixture
def user(session):
    user = User(email="owner@example.com")
    session.add(user)
    session.commit()
    return user


@pytest.fixture
def conversation(session, user):
    conversation = Conversation(user_id=user.id)
    session.add(conversation)
    session.commit()
    return conversation


@pytest.fixture
def conv(conversation):
    return conversation


@example("003", 1)
def test_database_session(empty_database_url):
    # Initialize database (first time)
    init_db()

    # Use database session
    with get_session() as session:
        # Your database operations here
        pass

    with get_session() as session:
        assert session.query(User).count() == 0


@example("003", 2)
def test_user(session):
    user = User(
        email="user@example.com",
        name="John Doe",
        external_id="auth_12345"
    )

    session.add(user)
    session.commit()
    assert user.conversations == []


@example("003", 3)
def test_conversation(session, user):
    conversation = Conversation(
        user_id=user.id,
        title="How to use the database?",
        status="active"
    )

    session.add(conversation)
    session.commit()
    assert conversation.user is user
    assert user.conversations == [conversation]


@example("003", 4)
def test_message(session, conversation):
    message = Message(
        conversation_id=conversation.id,
        sender_type="user",
        content="Hello, how does the database work?",
        role_metadata={"tokens": 10}
    )

    session.add(message)
    session.commit()
    assert conversation.messages == [message]
    assert message.role_metadata == {"tokens": 10}


@example("003", 5)
def test_knowledge_chunk(session):
    chunk = KnowledgeChunk(
        source="enhanced_readme",
        external_id="readme_section_1",
        title="Installation Guide",
        content="To install the project, run: pip install -r requirements.txt",
        chunk_metadata={"section_type": "installation", "module": "readme_generator"}
    )

    session.add(chunk)
    session.commit()
    assert session.get(KnowledgeChunk, chunk.id).chunk_metadata["module"] == "readme_generator"


@example("003", 6)
def test_user_functions(session):
    with get_session() as session:
        user = create_user(session, email="user@example.com", name="John Doe")
        retrieved = get_user_by_email(session, "user@example.com")

    assert retrieved is user


@example("003", 7)
def test_conversation_functions(session, user):
    with get_session() as session:
        conv = create_conversation(session, user_id=user.id, title="Test Chat")
        user_convs = list_conversations_for_user(session, user.id, status="active")

    assert user_convs == [conv]


@example("003", 8)
def test_message_functions(session, conv):
    with get_session() as session:
        msg = add_message(
            session,
            conversation_id=conv.id,
            sender_type=MessageSenderType.USER,
            content="Hello!",
            role_metadata={"tokens": 5}
        )
        messages = list_messages_for_conversation(session, conv.id)

    assert messages == [msg]


@example("003", 9)
def test_knowledge_chunk_functions(session):
    with get_session() as session:
        chunk = upsert_knowledge_chunk(
            session,
            source="enhanced_readme",
            external_id="section_1",
            title="Installation",
            content="Installation instructions...",
            chunk_metadata={"section_type": "installation"}
        )

        # Bulk upsert
        chunks = [
            {"source": "docs", "content": "Content 1", "external_id": "doc1"},
            {"source": "docs", "content": "Content 2", "external_id": "doc2"}
        ]
        bulk_upsert_knowledge_chunks(session, chunks)

    stored = session.query(KnowledgeChunk.external_id).order_by(KnowledgeChunk.external_id)
    assert [external_id for (external_id,) in stored] == ["doc1", "doc2", "section_1"]


@example("003", 10)
def test_quick_start(session):
    with get_session() as session:
        user = create_user(session, email="user@example.com", name="John")
        conv = create_conversation(session, user_id=user.id, title="Chat")
        msg = add_message(
            session,
            conversation_id=conv.id,
            sender_type=MessageSenderType.USER,
            content="Hello!"
        )

    assert session.get(Message, msg.id).conversation.user is session.get(User, user.id)
