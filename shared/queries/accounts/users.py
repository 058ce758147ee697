"""Chat users (seed 003)."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shared.errors import Conflict
from shared.models import Conversation, User
from shared.queries.rows import Slice, found, page, refusing_duplicates, removed
from shared.queries.scope import Scope, owned, owner_of
from shared.queries.work import locks

TAKEN = "another user has this e-mail or external id"


def find(session: Session, scope: Scope, user_id: UUID) -> User | None:
    """Return the user, or None."""
    return session.scalar(owned(User, scope).where(User.id == user_id))


def get(session: Session, scope: Scope, user_id: UUID) -> User:
    """Return the user; raises NotFound."""
    return found(find(session, scope, user_id), "user", user_id)


def find_by_email(session: Session, scope: Scope, email: str) -> User | None:
    """Return the user with exactly this e-mail, or None."""
    return session.scalar(owned(User, scope).where(User.email == email))


def find_by_external_id(session: Session, scope: Scope, external_id: str) -> User | None:
    """Return the user whom the caller knows by this identifier, or None."""
    return session.scalar(owned(User, scope).where(User.external_id == external_id))


def list_(session: Session, scope: Scope, *, limit: int = 100, offset: int = 0) -> Slice[User]:
    """Return users, oldest first."""
    return page(session, owned(User, scope).order_by(User.created_at, User.id), limit=limit, offset=offset)


def add(
    session: Session, scope: Scope, *, email: str | None = None, name: str | None = None, external_id: str | None = None
) -> User:
    """Add a user; raises Conflict where the e-mail or the external id is taken."""
    user = User(**owner_of(scope), email=email, name=name, external_id=external_id)
    with refusing_duplicates(session, TAKEN):
        session.add(user)
    return user


def get_or_add(
    session: Session, scope: Scope, external_id: str, *, email: str | None = None, name: str | None = None
) -> tuple[User, bool]:
    """Return the user of this external id and whether it had to be added; raises Conflict where the e-mail is taken."""
    if known := find_by_external_id(session, scope, external_id):
        return known, False
    try:
        return add(session, scope, email=email, name=name, external_id=external_id), True
    except Conflict:
        if added_meanwhile := find_by_external_id(session, scope, external_id):
            return added_meanwhile, False
        raise


def update(
    session: Session, scope: Scope, user_id: UUID, *, email: str | None = None, name: str | None = None
) -> User | None:
    """Change what is given and return the user, or None; raises Conflict where the e-mail is taken."""
    user = find(session, scope, user_id)
    if user is None:
        return None
    with refusing_duplicates(session, TAKEN):
        user.email = user.email if email is None else email
        user.name = user.name if name is None else name
    return user


def delete_(session: Session, scope: Scope, user_id: UUID) -> bool:
    """Delete a user with every conversation and message; say whether there was one."""
    mine = owned(User, scope).where(User.id == user_id).with_only_columns(User.id)
    talks = select(Conversation.id).where(Conversation.user_id.in_(mine))
    locks.lock_conversations(session, talks, lambda: session.execute(mine.with_for_update()))
    return removed(session, delete(User).where(User.id.in_(mine)), of=user_id) > 0
