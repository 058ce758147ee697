"""What the model is told: the persona's text, passages to cite, the talk so far; always within its window. Pure."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from shared.domain.conversation import CitedBy
from shared.domain.text import fold
from shared.domain.tokens import CountTokens, count_roughly

ORDER = ("profile", "quotes", "works")  # seed 000: who the persona is comes before what it said and wrote
LONGEST_PASSAGE = {"profile": 1200, "works": 600}  # characters (seed 000), where whole passages do not fit
ROOMY = 4000  # tokens; seed 000's cuts were made for smaller prompts, and a larger one holds passages whole
HISTORY_SHARE = 3  # a third: a persona that has read much would else forget what was just said
SEPARATOR = 2  # tokens between passages
PER_MESSAGE = 8  # tokens that a chat template adds around a message
MIN_WORDS = 3  # a sentence with fewer words of content rests on nothing
SHARED_WORDS = 0.6
_SENTENCE = re.compile(r"[.!?\n]+")
_WORD = re.compile(r"\w+")
_MARK = re.compile(r"\[(\d{1,9}(?:\s{0,2}[,;\u2013-]\s{0,2}\d{1,9})*)\](?!\()")
# Straight behind a word or a bracket it is a place in a list, as in items[0]; Chinese puts no space before a mark.
_PLACE = r"(?:[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[)\]}]|=[ \t]?)(?:\[\d{1,9}\])+"
_LONE_MARK = re.compile(
    rf"(?m){_PLACE}|(?:^\[(\d{{1,2}})\](?!\(|: ?<?http)[ \t]*|[ \t]{{0,3}}\[(\d{{1,2}})\](?!\(|: ?<?http))"
)
LONGEST_GLUED = 80  # characters before a mark that are looked at
_CHAIN = re.compile(r"(?:\[\d{1,9}\])+\Z")
_GLUED = re.compile(r"(?:\)[^()]*\()?[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|\)\(|[\]}]|[ \t]?=")  # backwards
_PART_ENDS = re.compile(
    r"(?:\[\d{1,9}\]){0,20}['\")\u201d\u2019*_]{0,3}(?:\Z|[ \t]{0,3}\n|[.,;:!?\u2026]{1,3}(?:\s|\[\d|\Z))"
)
_BETWEEN_MARKS = re.compile(r"[,;]")
_NUMBER = re.compile(r"\d+")
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?…。\uff01\uff1f\n]")
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
    also: tuple[str, ...] = ()  # what else holds the same text

    def name(self) -> str:
        """Say what it is from: its title, or else where that came from."""
        return (self.title or "").strip() or (self.source or "").strip() or "passage"

    def label(self) -> str:
        """Say where it is from, for people and the model."""
        where = f", page {self.page}" if self.page else ""
        also = f"; also in {', '.join(self.also)}" if self.also else ""
        return f"{self.name()}{where}{also}"


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
    first; those that fit are told profile, quotes, works (seed 000): whole where the budget is roomy.
    """
    asked = _kept_end(question, budget // 2, count)
    text = _kept_start(template, budget - count(asked) - 4 * PER_MESSAGE - count(CITE), count)
    left = budget - count(text) - count(asked) - 3 * PER_MESSAGE - count(CITE)
    recent = min(left // HISTORY_SHARE, sum(count(message.content) + PER_MESSAGE for message in history))
    chosen = in_order(list(_chosen(passages, left - recent, count, whole=budget >= ROOMY)))
    kept = [_as_text(number, passage) for number, passage in enumerate(chosen, 1)]
    left -= sum(count(passage) + SEPARATOR for passage in kept)
    newest = _newest(history, left, count)
    system = "\n\n".join([text, CITE, *kept]) if kept else text
    messages = (Said("system", system), *newest, Said("user", asked))
    dropped = {
        "passages": len(passages) - len(chosen),
        "passage_ends": _lost_ends(passages, chosen),
        "history": len(history) - len(newest),
        "template": len(template) - len(text),
        "question": len(question) - len(asked),
    }
    return Prompt(messages, chosen, sum(count(m.content) + PER_MESSAGE for m in messages), dropped)


def _chosen(passages: Sequence[Passage], budget: int, count: CountTokens, *, whole: bool) -> Iterator[Passage]:
    """Yield the passages that fit, best first; one that is too long for what is left gives way to the next."""
    for passage in passages:
        for form in (passage, _cut(passage)) if whole else (_cut(passage),):
            cost = count(_as_text(len(passages), form)) + SEPARATOR
            if cost <= budget:
                budget -= cost
                yield form
                break


def _cut(passage: Passage) -> Passage:
    """Return a passage no longer than seed 000 tells it, up to the end of a sentence where one is near."""
    longest = LONGEST_PASSAGE.get(passage.collection or "", len(passage.content))
    if len(passage.content) <= longest:
        return passage
    content = passage.content[:longest]
    end = max((found.end() for found in _SENTENCE_END.finditer(content)), default=0)
    return replace(passage, content=content[:end] if end > longest // 2 else content)


def _lost_ends(passages: Sequence[Passage], chosen: Sequence[Passage]) -> int:
    lengths = {passage.chunk_id: len(passage.content) for passage in passages}
    return sum(lengths[passage.chunk_id] - len(passage.content) for passage in chosen)


def in_order(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Put passages into the order in which they are told and numbered: profile, quotes, works (seed 000)."""
    return tuple(sorted(passages, key=_rank))


def _as_text(number: int, passage: Passage) -> str:
    return f"[{number}] ({passage.label()}) {passage.content}"


def _rank(passage: Passage) -> int:
    return ORDER.index(passage.collection) if passage.collection in ORDER else len(ORDER)


def _newest(history: Sequence[Said], budget: int, count: CountTokens) -> tuple[Said, ...]:
    kept = 0
    for message in reversed(history):
        budget -= count(message.content) + PER_MESSAGE
        if budget < 0:
            break
        kept += 1
    return tuple(history[len(history) - kept :])


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


def cited(reply: str, passages: Sequence[Passage]) -> dict[int, CitedBy]:
    """Say which passages, by their numbers from 1, a reply rests on, and how one knows.

    "marker": it says [n]. "words": most words of one of its sentences are the passage's, which is how a model that
    sets no markers is read.
    """
    found: dict[int, CitedBy] = dict.fromkeys(marked(reply, len(passages)), "marker")
    if found:
        return found
    sentences = [words for part in _SENTENCE.split(fold(reply)) if len(words := _content_words(part)) >= MIN_WORDS]
    return {
        number: "words"
        for number, passage in enumerate(passages, 1)
        if _rests_on(sentences, _content_words(fold(passage.content)))
    }


def marked(reply: str, most: int) -> list[int]:
    """Return the numbers up to `most` whose marks stand in a reply: [1], [1][2], [1, 2] or [1-3]."""
    groups = (group for part in _CODE.split(reply)[::2] for group in _citing(part, most))
    return sorted({number for group in groups for number in _numbers(group, most) if 1 <= number <= most})


def _citing(text: str, most: int) -> Iterator[str]:
    """Yield the numbers of the marks that cite.

    Straight behind a word a mark may be a place in a list, as in m[2]: there it cites only where it ends a part of a
    sentence, and nothing in the text is code for certain.
    """
    marks = [(mark, _glued(text[max(mark.start() - LONGEST_GLUED, 0) : mark.start()])) for mark in _MARK.finditer(text)]
    glued = [(mark, word, _PART_ENDS.match(text, mark.end()) is not None) for mark, word in marks if word]
    yield from (mark[1] for mark, word in marks if not word)
    if not any(_is_code(word) or _is_place(mark[1], most, ends) for mark, word, ends in glued):
        yield from (mark[1] for mark, _, ends in glued if ends)


def _is_place(numbers: str, most: int, ends: bool) -> bool:
    """Say whether a mark behind a word can only be a place: the first of all, or one beyond the passages."""
    first = int(_NUMBER.findall(numbers)[0])
    return first == 0 or (first > most and not ends)


def _glued(before: str) -> str:
    """Return the word or the brackets that a mark, or the first of several, stands straight behind."""
    found = _GLUED.match(_CHAIN.sub("", before)[::-1])
    return found[0][::-1] if found else ""


def _is_code(word: str) -> bool:
    """Say whether what stands before a mark is no word of a sentence: a name of code, a call, brackets, an equals."""
    if len(word) == 1 or (word[0].islower() and word != word.lower()):
        return not word.isdigit()
    return "_" in word or not (word.isalpha() or word[0].isdigit())


def _numbers(group: str, most: int) -> Iterator[int]:
    for part in _BETWEEN_MARKS.split(group):
        first, *last = (int(number) for number in _NUMBER.findall(part)[:2])
        yield from range(first, min(last[0] if last else first, most) + 1)


def without_empty_marks(reply: str, passages: int, question: str = "") -> str:
    """Return a reply without the marks [n] of no passage; where the question has marks they may mean something else.

    Code, links and JSON stay as they are.
    """
    if _MARK.search(question) or _is_json(reply):
        return reply
    parts = _CODE.split(reply)
    parts[::2] = (_LONE_MARK.sub(lambda mark: _kept_mark(mark, passages), part) for part in parts[::2])
    kept = "".join(parts)
    return kept if kept.strip() else reply


def _kept_mark(mark: re.Match[str], passages: int) -> str:
    number = mark[1] or mark[2]
    return mark[0] if number is None or 1 <= int(number) <= passages else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _rests_on(sentences: Sequence[frozenset[str]], passage: frozenset[str]) -> bool:
    return any(len(words & passage) >= SHARED_WORDS * len(words) for words in sentences)


def _content_words(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text) if len(word) > 3)
