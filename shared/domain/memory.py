"""Which messages of a conversation are due to be compressed, and how memories are told to a model. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from shared.domain.tokens import CountTokens, count_roughly

HEAD = 0  # the sequence of the window before the first of seed 001's


@dataclass(frozen=True)
class WindowRule:
    """Seed 001's windows: the first begins at message `start`, counted from 1, and each holds `size` messages.

    With `head` the messages before `start` are a window too, due together with the first.
    """

    start: int = 25
    size: int = 11
    head: bool = True

    def spans(self, sequence: int) -> tuple[int, int]:
        """Return the numbers of a window's first and last message."""
        if sequence == HEAD:
            return 1, self.start - 1
        first = self.start + (sequence - 1) * self.size
        return first, first + self.size - 1


class Due(NamedTuple):
    """A window to compress: its place among the windows, its messages by number and by position."""

    sequence: int
    message_range: str
    first_position: int
    last_position: int


def due(positions: Sequence[int], rule: WindowRule, *, last: int | None = None) -> list[Due]:
    """Return the windows that are due, in order.

    `positions` are those of the messages after window `last`, ascending; of all messages where there is no window yet.
    Windows follow each other by position, so that a message deleted later shifts none that was compressed.
    """
    return list(_from_the_start(positions, rule) if last is None else _full(positions, rule, last + 1))


def _from_the_start(positions: Sequence[int], rule: WindowRule) -> Iterator[Due]:
    before = rule.start - 1
    if len(positions) < before + rule.size:
        return
    if rule.head and before:
        yield _window(HEAD, positions[:before], rule)
    yield from _full(positions[before:], rule, HEAD + 1)


def _full(positions: Sequence[int], rule: WindowRule, sequence: int) -> Iterator[Due]:
    for number in range(len(positions) // rule.size):
        yield _window(sequence + number, positions[number * rule.size : (number + 1) * rule.size], rule)


def _window(sequence: int, positions: Sequence[int], rule: WindowRule) -> Due:
    first, last = rule.spans(sequence)
    return Due(sequence, f"{first}-{last}", positions[0], positions[-1])


class NewMemory(NamedTuple):
    """A memory that a script wrote."""

    id: UUID
    text: str
    message_range: str
    message_count: int
    first_message_id: str | None = None


@dataclass(frozen=True)
class Changes:
    """What scripts did to a conversation's memory: what they cleared is forgotten first, then theirs is added."""

    cleared: bool = False
    added: tuple[NewMemory, ...] = ()

    def adding(self, memory: NewMemory) -> "Changes":
        """Return these changes and one memory more."""
        return replace(self, added=(*self.added, memory))


UNCHANGED = Changes()


class Remembered(NamedTuple):
    """A memory as a prompt tells it."""

    message_range: str
    text: str


def as_text(memories: Sequence[Remembered], max_tokens: int, count: CountTokens = count_roughly) -> str:
    """Tell memories, given and told oldest first, within `max_tokens`; the oldest are left out first.

    Of the newest, where it is too long by itself, the beginning is told.
    """
    told: list[str] = []
    left = max_tokens
    for memory in reversed(memories):
        text = f"[messages {memory.message_range}] {memory.text}"
        if count(text) + 1 > left:
            break
        left -= count(text) + 1
        told.insert(0, text)
    return "\n".join(told) if told or not memories else within(_last_as_text(memories), max_tokens, count)


def _last_as_text(memories: Sequence[Remembered]) -> str:
    return f"[messages {memories[-1].message_range}] {memories[-1].text}"


def within(text: str, max_tokens: int, count: CountTokens = count_roughly) -> str:
    """Return the beginning of a text within `max_tokens`, up to the end of a sentence where one is near."""
    if count(text) <= max_tokens:
        return text
    while text and count(text) > max_tokens:
        text = text[: len(text) * 15 // 16]
    whole = max(text.rfind(mark) for mark in ".!?…\n") + 1
    return text[:whole] if whole > len(text) // 2 else text
