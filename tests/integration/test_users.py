"""Users: known once by e-mail and by external id, and gone with all they said."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from shared.db import get_session
from shared.errors import Conflict, Invalid, NotFound
from shared.models import Conversation, Message, User
from shared.queries.accounts import users
from shared.queries.dialogue import conversations, messages
from shared.queries.scope import DEFAULT_SCOPE, Scope

OTHER = Scope("other")


@pytest.fixture
def user(session: Session) -> User:
    return users.add(session, DEFAULT_SCOPE, email="ada@example.com", name="Ada", external_id="auth-1")


@pytest.mark.capability("C7")
def test_a_second_user_with_the_same_email_is_refused_and_the_transaction_goes_on(session: Session, user: User):
    with pytest.raises(Conflict):
        users.add(session, DEFAULT_SCOPE, email="ada@example.com")
    assert users.list_(session, DEFAULT_SCOPE) == [user]


@pytest.mark.capability("C7")
def test_a_second_user_with_the_same_external_id_is_refused(session: Session, user: User):
    with pytest.raises(Conflict):
        users.add(session, DEFAULT_SCOPE, external_id="auth-1")


@pytest.mark.capability("C7")
def test_users_without_email_and_external_id_are_not_the_same(session: Session):
    assert users.add(session, DEFAULT_SCOPE).id != users.add(session, DEFAULT_SCOPE).id


@pytest.mark.capability("C7")
def test_an_email_cannot_be_changed_to_one_that_is_taken(session: Session, user: User):
    other = users.add(session, DEFAULT_SCOPE, email="bob@example.com")
    with pytest.raises(Conflict):
        users.update(session, DEFAULT_SCOPE, other.id, email="ada@example.com")
    session.refresh(other)
    assert other.email == "bob@example.com"


@pytest.mark.capability("C7")
def test_get_or_add_adds_once(session: Session):
    first, added = users.get_or_add(session, DEFAULT_SCOPE, "auth-2", name="Bob")
    second, added_again = users.get_or_add(session, DEFAULT_SCOPE, "auth-2", name="Robert")
    assert (added, added_again) == (True, False)
    assert second is first
    assert second.name == "Bob"


@pytest.mark.capability("C7")
def test_get_or_add_refuses_another_users_email(session: Session, user: User):
    with pytest.raises(Conflict):
        users.get_or_add(session, DEFAULT_SCOPE, "auth-2", email="ada@example.com")


@pytest.mark.capability("C7")
@pytest.mark.usefixtures("database_url")
def test_ten_at_once_get_the_same_user_and_one_adds_it():
    def get_or_add(_: int) -> tuple[object, bool]:
        with get_session() as session:
            user, added = users.get_or_add(session, DEFAULT_SCOPE, "auth-3")
            return user.id, added

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(get_or_add, range(10)))
    assert len({user_id for user_id, _ in answers}) == 1
    assert [added for _, added in answers].count(True) == 1


def test_update_changes_only_what_is_given(session: Session, user: User):
    changed = users.update(session, DEFAULT_SCOPE, user.id, name="Countess")
    assert changed is user
    assert (user.name, user.email) == ("Countess", "ada@example.com")
    assert users.update(session, DEFAULT_SCOPE, uuid4(), name="Nobody") is None


@pytest.mark.capability("C8")
def test_deleting_a_user_deletes_their_conversations_and_messages(session: Session, user: User):
    conversation = conversations.add(session, DEFAULT_SCOPE, user_id=user.id)
    messages.add(session, DEFAULT_SCOPE, conversation.id, "user", "Hello")
    anonymous = conversations.add(session, DEFAULT_SCOPE)
    assert users.delete_(session, DEFAULT_SCOPE, user.id) is True
    assert session.query(Conversation).all() == [anonymous]
    assert session.query(Message).count() == 0
    assert users.delete_(session, DEFAULT_SCOPE, user.id) is False


def test_another_owner_sees_changes_and_deletes_nothing(session: Session, user: User):
    assert users.find(session, OTHER, user.id) is None
    assert users.find_by_email(session, OTHER, "ada@example.com") is None
    assert users.list_(session, OTHER) == []
    assert users.update(session, OTHER, user.id, name="Mine") is None
    assert users.delete_(session, OTHER, user.id) is False
    with pytest.raises(NotFound):
        users.get(session, OTHER, user.id)
    assert users.add(session, OTHER, email="ada@example.com").owner_id == "other"


def test_a_conversation_with_somebody_elses_user_is_refused(session: Session, user: User):
    with pytest.raises(NotFound):
        conversations.add(session, OTHER, user_id=user.id)


def test_conversations_are_listed_newest_first_and_by_status(session: Session, user: User):
    first = conversations.add(session, DEFAULT_SCOPE, user_id=user.id, title="first")
    second = conversations.add(session, DEFAULT_SCOPE, user_id=user.id)
    assert conversations.list_(session, DEFAULT_SCOPE, user_id=user.id) == [second, first]
    conversations.archive(session, DEFAULT_SCOPE, first.id)
    assert conversations.list_(session, DEFAULT_SCOPE, status="archived") == [first]
    assert conversations.list_(session, DEFAULT_SCOPE, limit=1, offset=1) == [first]
    assert conversations.list_(session, OTHER) == []


def test_a_conversation_changes_only_where_something_is_given(session: Session):
    conversation = conversations.add(session, DEFAULT_SCOPE, title="before")
    conversations.update(session, DEFAULT_SCOPE, conversation.id, title="after")
    assert (conversation.title, conversation.status) == ("after", "active")
    assert conversations.update(session, OTHER, conversation.id, title="mine") is None
    assert conversations.delete_(session, OTHER, conversation.id) is False
    assert conversations.delete_(session, DEFAULT_SCOPE, conversation.id) is True


def test_messages_keep_their_order_and_can_be_read_from_a_position(session: Session):
    conversation = conversations.add(session, DEFAULT_SCOPE)
    said = [messages.add(session, DEFAULT_SCOPE, conversation.id, role, role) for role in ("user", "assistant", "user")]
    assert messages.list_(session, DEFAULT_SCOPE, conversation.id) == said
    assert messages.list_(session, DEFAULT_SCOPE, conversation.id, role="user") == [said[0], said[2]]
    assert messages.list_(session, DEFAULT_SCOPE, conversation.id, after=said[0].position, limit=1) == [said[1]]
    assert messages.count(session, DEFAULT_SCOPE, conversation.id) == 3


def test_messages_belong_to_the_owner_of_their_conversation(session: Session):
    conversation = conversations.add(session, DEFAULT_SCOPE)
    message = messages.add(session, DEFAULT_SCOPE, conversation.id, "user", "Hello")
    assert messages.get(session, DEFAULT_SCOPE, message.id) is message
    assert messages.find(session, OTHER, message.id) is None
    assert messages.list_(session, OTHER, conversation.id) == []
    assert messages.count(session, OTHER, conversation.id) == 0
    assert messages.delete_(session, OTHER, message.id) is False
    with pytest.raises(NotFound):
        messages.add(session, OTHER, conversation.id, "user", "Hello")
    assert messages.delete_(session, DEFAULT_SCOPE, message.id) is True


def test_an_unknown_role_or_status_is_refused(session: Session):
    conversation = conversations.add(session, DEFAULT_SCOPE)
    with pytest.raises(Invalid):
        messages.add(session, DEFAULT_SCOPE, conversation.id, "robot", "Hello")
    with pytest.raises(Invalid):
        conversations.add(session, DEFAULT_SCOPE, status="burnt")
