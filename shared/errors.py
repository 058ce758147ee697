"""What can go wrong, by meaning; the edges decide how to say it."""

from typing import Any


class PersonaeError(Exception):
    """An error that a caller may be told about; `details` must hold nothing secret."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class NotFound(PersonaeError):
    """There is no such thing, or it is somebody else's."""


class Conflict(PersonaeError):
    """The request contradicts what is stored."""


class Invalid(PersonaeError):
    """The input is well-formed and wrong."""


class Refused(PersonaeError):
    """A rule forbids it: an outbound address, a file type, an open transaction."""


class Unauthorized(PersonaeError):
    """No identity, or one that is no longer valid."""


class Forbidden(PersonaeError):
    """A known identity without the scope."""


class TooLarge(PersonaeError):
    """The input is over a limit."""


class TooMany(PersonaeError):
    """An owner has reached a limit, which `details` names; `retry_after` are seconds, where waiting may help."""

    def __init__(self, message: str, *, retry_after: int | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class WorkFailed(PersonaeError):
    """Work that somebody waits for failed for good: the same again would fail again."""


class Rejected(PersonaeError):
    """A provider refuses for good: a wrong key, an unknown model, a prompt that is too long."""


class Transient(PersonaeError):
    """May succeed later: the only errors that are retried."""


class Unavailable(Transient):
    """A part that this needs is down."""
