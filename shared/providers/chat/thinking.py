"""Where in a reply the model thinks: tags, channels, or a lone closing tag; however it is cut into pieces."""

import re
from collections.abc import Iterator
from typing import NamedTuple

NAMES = ("think", "thinking", "thought", "reasoning")
ENDS = ("<|end|>", "<|return|>", "<|call|>")
MARKS = (*(f"<{name}>" for name in NAMES), *(f"</{name}>" for name in NAMES), *ENDS, "<|start|>", "<|channel|>")
LONGEST_HEADER = 200
_HEADER = rf"<\|(?:start|channel)\|>.{{0,{LONGEST_HEADER}}}?<\|message\|>"
_END = r"<\|(?:end|return|call)\|>"
_MARK = re.compile(rf"`+|</?(?:{'|'.join(NAMES)})>|{_HEADER}|{_END}", re.IGNORECASE | re.DOTALL)
_CLOSING = {name: re.compile(f"</{name}>", re.IGNORECASE) for name in NAMES}
_CHANNEL_END = re.compile(rf"{_END}|{_HEADER}", re.DOTALL)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_OPEN_HEADER = re.compile(r"<\|(?:start|channel)\|>")


class Text(NamedTuple):
    """A piece of the reply."""

    text: str


class Thinking(NamedTuple):
    """A piece of what the model thinks before it replies."""

    text: str


class Revoked(NamedTuple):
    """All text so far was a thought: only its closing tag came."""


Piece = Text | Thinking | Revoked


class ThinkSplitter:
    """Takes thoughts out of the text; tags between backticks are text."""

    def __init__(self) -> None:
        self.has_thought = False
        self._held, self._at = "", 0  # what is not told yet, from a place on: to cut each mark off would copy the rest
        self._until: re.Pattern[str] | None = None  # what ends the thought that is being read
        self._code = ""  # the backticks that opened the code that is being read
        self._has_channels = False
        self._last = ""  # the text's last character
        self._blank = ""  # white space before any text: it may yet precede a thought
        self._strips = False

    def feed(self, piece: str) -> Iterator[Piece]:
        """Yield what is certain, and hold back what may be the beginning of a mark."""
        self._held, self._at = self._held[self._at :] + piece, 0
        while (found := (self._until or _MARK).search(self._held, self._at)) and not self._may_go_on(found):
            before, self._at = self._held[self._at : found.start()], found.end()
            yield from self._say(before)
            yield from self._meet(found[0])
        rest = self._held[self._at :]
        certain = rest[: _unfinished(rest)]
        self._at += len(certain)
        yield from self._say(certain)

    def flush(self) -> Iterator[Piece]:
        """Yield what is still held back when the reply ends."""
        rest, self._held, self._at = self._held[self._at :], "", 0
        yield from self._say(rest)

    def _may_go_on(self, found: re.Match[str]) -> bool:
        return found[0].startswith("`") and found.end() == len(self._held)

    def _say(self, text: str) -> Iterator[Piece]:
        if self._strips:
            text = text.lstrip()
            self._strips = not text
        if self._until is not None:
            if text:
                yield Thinking(text)
            return
        if self._code == "`" and "\n" in text:
            self._code = ""
        if not self._last and not text.strip():
            self._blank += text
        elif text:
            text, self._blank, self._last = self._blank + text, "", text[-1]
            yield Text(text)

    def _meet(self, mark: str) -> Iterator[Piece]:
        if mark.startswith("`"):
            yield from self._meet_code(mark)
        elif self._until is not None:
            self._leave_thought(mark)
        elif self._code:
            yield from self._say(mark)
        elif mark.startswith("<|"):
            yield from self._meet_channel(mark)
        elif mark.startswith("</"):
            yield from self._meet_closing(mark)
        else:
            self._begin_thought(_CLOSING[mark[1:-1].lower()])

    def _meet_code(self, mark: str) -> Iterator[Piece]:
        yield from self._say(mark)
        if not self._code:
            self._code = mark
        elif self._code == mark:
            self._code = ""

    def _meet_channel(self, mark: str) -> Iterator[Piece]:
        if mark in ENDS:
            if not self._has_channels:
                yield from self._say(mark)
            return
        self._has_channels = True
        channel = _CHANNEL.search(mark)
        if channel and channel[1] != "final":
            self._begin_thought(_CHANNEL_END)

    def _meet_closing(self, mark: str) -> Iterator[Piece]:
        """Read a closing tag that nothing opened: the template did, unless the model has already thought."""
        if self._last and self.has_thought:
            yield from self._say(mark)
            return
        if self._last:
            yield Revoked()
        self._last, self._blank = "", ""
        self.has_thought = self._strips = True

    def _begin_thought(self, until: re.Pattern[str]) -> None:
        self._until, self._blank = until, ""
        self.has_thought = self._strips = True

    def _leave_thought(self, mark: str) -> None:
        self._until = None
        self._strips = not self._last or self._last.isspace()
        if mark.endswith("<|message|>"):  # the next channel began without an end of this one
            self._at -= len(mark)


def _unfinished(text: str) -> int:
    """Return where at the text's end a mark may have begun."""
    header = _OPEN_HEADER.search(text, max(0, len(text) - LONGEST_HEADER))
    if header:
        return header.start()
    kept = len(text.rstrip("`"))
    place = text.rfind("<")
    tail = text[place:].lower()
    is_begun = place >= 0 and any(mark.startswith(tail) for mark in MARKS)
    return min(kept, place) if is_begun else kept
