"""What the model is told: the persona's text, passages to cite, the talk so far; always within its window. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.domain.text import fold

CountTokens = Callable[[str], int]
ORDER = ("profile", "quotes", "works")  # seed 000: who the persona is comes before what it said and wrote
LONGEST_PASSAGE = {"profile": 1200, "works": 600}  # characters (seed 000)
HISTORY_SHARE = 3  # a third: a persona that has read much would else forget what was just said
PER_MESSAGE = 8  # tokens that a chat template adds around a message
MIN_WORDS = 3  # a sentence with fewer words of content rests on nothing
SHARED_WORDS = 0.6
_SENTENCE = re.compile(r"[.!?\n]+")
_WORD = re.compile(r"\w+")
_NUMBERED = re.compile(r"^\[(\d+)\] \([^\n]*?\) ", re.MULTILINE)
CITE = "Answer from the passages below where they help, and cite them by their numbers, like [1]."


@dataclass(frozen=True)
class Passage:
    """A piece of knowledge as it was found."""

    chunk_id: str
    content: str
    title: str | None = None
    source: str | None = None
    page: int | None = None
    collection: str | None = None
    score: float = 0.0
    similarity: float | None = None

    def label(self) -> str:
        """Say where it is from, for people and the model."""
        where = f", page {self.page}" if self.page else ""
        return f"{self.title or self.source or 'untitled'}{where}"


@dataclass(frozen=True)
class Said:
    """One message of the conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class Prompt:
    """The messages to send, the passages they hold in citation order, and what had to go."""

    messages: tuple[Said, ...]
    passages: tuple[Passage, ...]
    tokens: int
    dropped: dict[str, int] = field(default_factory=dict)  # passages, messages, and characters of the two texts


def count_roughly(text: str) -> int:
    """Overestimate a text's tokens without a tokenizer: three bytes each, plus one."""
    return len(text.encode()) // 3 + 1


def build(
    template: str,
    question: str,
    *,
    passages: Sequence[Passage] = (),
    history: Sequence[Said] = (),
    budget: int,
    count: CountTokens = count_roughly,
) -> Prompt:
    """Fit template, passages, history and question into `budget` tokens.

    What does not fit goes in this order: the oldest history, the worst passages, the end of the template, the start
    of the question; but the newest history keeps a third of what template and question leave. `passages` come best
    first; those that fit are told profile, quotes, works (seed 000).
    """
    asked = _kept_end(question, budget // 2, count)
    text = _kept_start(template, budget - count(asked) - 4 * PER_MESSAGE - count(CITE), count)
    left = budget - count(text) - count(asked) - 3 * PER_MESSAGE - count(CITE)
    recent = min(left // HISTORY_SHARE, sum(count(message.content) + PER_MESSAGE for message in history))
    fitting = _fitting([_as_text(len(passages), passage) for passage in passages], left - recent, count)
    chosen = in_order(passages[: len(fitting)])
    kept = as_told(chosen)
    left -= sum(count(passage) + 1 for passage in kept)
    said = _fitting([message.content for message in reversed(history)], left, count, each=PER_MESSAGE)
    newest = tuple(history[len(history) - len(said) :])
    system = "\n\n".join([text, CITE, *kept]) if kept else text
    messages = (Said("system", system), *newest, Said("user", asked))
    dropped = {
        "passages": len(passages) - len(chosen),
        "history": len(history) - len(newest),
        "template": len(template) - len(text),
        "question": len(question) - len(asked),
    }
    return Prompt(messages, chosen, sum(count(m.content) + PER_MESSAGE for m in messages), dropped)


def in_order(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Put passages into the order in which they are told and numbered: profile, quotes, works (seed 000)."""
    return tuple(sorted(passages, key=_rank))


def as_told(passages: Sequence[Passage]) -> list[str]:
    """Return passages as the model is told them: numbered from 1, with where they are from, no longer than allowed."""
    return [_as_text(number, passage) for number, passage in enumerate(passages, 1)]


def _as_text(number: int, passage: Passage) -> str:
    content = passage.content[: LONGEST_PASSAGE.get(passage.collection or "")]
    return f"[{number}] ({passage.label()}) {content}"


def _rank(passage: Passage) -> int:
    return ORDER.index(passage.collection) if passage.collection in ORDER else len(ORDER)


def numbered(system: str) -> list[tuple[int, str]]:
    """Read the passages back out of a system message, with their numbers."""
    places = list(_NUMBERED.finditer(system))
    ends = [place.start() for place in places[1:]] + [len(system)]
    return [(int(place[1]), system[place.end() : end].strip()) for place, end in zip(places, ends, strict=False)]


def _fitting(texts: Sequence[str], budget: int, count: CountTokens, *, each: int = 1) -> list[str]:
    kept: list[str] = []
    for text in texts:
        budget -= count(text) + each
        if budget < 0:
            break
        kept.append(text)
    return kept


def _kept_start(text: str, budget: int, count: CountTokens) -> str:
    return text[: _longest(len(text), lambda size: count(text[:size]) <= max(budget, 0))]


def _kept_end(text: str, budget: int, count: CountTokens) -> str:
    return text[len(text) - _longest(len(text), lambda size: count(text[len(text) - size :]) <= max(budget, 1)) :]


def _longest(length: int, fits: Callable[[int], bool]) -> int:
    """Return the greatest size up to the length that fits: all of it first, which is the usual case."""
    if fits(length):
        return length
    low, high = 0, length - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return max(low, 0)


def cited(reply: str, passages: Sequence[Passage]) -> dict[int, str]:
    """Say which passages, by their numbers from 1, a reply rests on, and how one knows.

    "marker": it says [n]. "words": most words of one of its sentences are the passage's, which is how a model that
    sets no markers is read.
    """
    found = {number: "marker" for number in range(1, len(passages) + 1) if f"[{number}]" in reply}
    if found:
        return found
    sentences = [words for part in _SENTENCE.split(fold(reply)) if len(words := _content_words(part)) >= MIN_WORDS]
    return {
        number: "words"
        for number, passage in enumerate(passages, 1)
        if _rests_on(sentences, _content_words(fold(passage.content)))
    }


def _rests_on(sentences: Sequence[frozenset[str]], passage: frozenset[str]) -> bool:
    return any(len(words & passage) >= SHARED_WORDS * len(words) for words in sentences)


def _content_words(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text) if len(word) > 3)
