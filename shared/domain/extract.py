"""The sentences of a text that say most, and those that answer a question: by rules, in any language. Pure."""

import heapq
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from shared.domain.prompt import Said
from shared.domain.sentences import paragraphs
from shared.domain.text import fold, keywords
from shared.domain.tokens import CountTokens, count_roughly

SHORTEST = 3  # words; a shorter sentence greets or agrees
STEM = 5  # letters by which inflected words are known as one: `bobina`, `bobinei`
FIRST_IN_MESSAGE = 1.15  # what opens a message tends to be what it is about
SPEAKERS = {"user": "User", "assistant": "I", "system": "Note"}
LONGEST = 400  # characters; what has no end of a sentence for so long is a list or a table
MOST_WEIGHED = 5000  # sentences against each other: a talk has hundreds
LABEL = 5  # stems; a heading that no sign marks has no more
UNFINISHED = 0.5  # what ends without a sign tends to be a heading or a label
_END = re.compile(r"(?<=[.!?…])[\"'»”)\]]*\s+|(?<=[。\uff01\uff1f])(?![」』”\uff09])|\n+")
_FINISHED = re.compile(r"[.!?…。\uff01\uff1f][\"'»”)\]」』\uff09]*$")


class Sentence(NamedTuple):
    """A sentence: the number of the text it is from, its place there, and its stems."""

    source: int
    place: int
    text: str
    stems: frozenset[str]


def sentences(texts: Sequence[str]) -> list[Sentence]:
    """Return the sentences of some texts, numbered from 0, in reading order; those of no words are left out."""
    return [
        Sentence(source, place, part.strip(), found)
        for source, text in enumerate(texts)
        for place, part in enumerate(_END.split(text))
        if (found := stems(part))
    ]


def stems(text: str) -> frozenset[str]:
    """Return the beginnings of a text's folded words, without those of grammar."""
    return frozenset(word[:STEM] for word in keywords(text))


def summarise(lines: Sequence[Said], max_tokens: int, count: CountTokens = count_roughly) -> str:
    """Return the sentences of a talk that say most, in their order and with their speakers, within `max_tokens`.

    Sentences of frequent words are taken one by one; the words of each count less from then on (SumBasic, Nenkova and
    Vanderwende 2005), so that nothing is told twice. Empty where nobody said anything.
    """
    rest = sentences([line.content for line in lines])
    rest = [sentence for sentence in rest if len(sentence.text.split()) >= SHORTEST] or rest
    weights = _weights(rest)
    rest = heapq.nlargest(MOST_WEIGHED, rest, key=lambda sentence: _says(sentence, weights))
    costs = {sentence: count(_spoken(lines[sentence.source], sentence)) + 1 for sentence in sorted(rest)}
    chosen: list[Sentence] = []
    left = max_tokens
    while costs := {sentence: cost for sentence, cost in costs.items() if cost <= left}:
        best = max(costs, key=lambda sentence: _says(sentence, weights))
        chosen.append(best)
        left -= costs.pop(best)
        weights |= {stem: weights[stem] ** 2 for stem in best.stems}
    return "\n".join(_spoken(lines[sentence.source], sentence) for sentence in sorted(chosen))


def _weights(found: Sequence[Sentence]) -> dict[str, float]:
    """Return how often each stem occurs, as a share of all."""
    counted = Counter(stem for sentence in found for stem in sentence.stems)
    return {stem: times / counted.total() for stem, times in counted.items()}


def _says(sentence: Sentence, weights: dict[str, float]) -> float:
    mean = sum(weights[stem] for stem in sentence.stems) / max(len(sentence.stems), SHORTEST)
    return mean * (FIRST_IN_MESSAGE if sentence.place == 0 else 1.0)


def _spoken(line: Said, sentence: Sentence) -> str:
    return f"{SPEAKERS.get(line.role, line.role)}: {sentence.text}"


def answer(question: str, passages: Sequence[tuple[int, str]], *, most: int = 3) -> str:
    """Return up to `most` sentences of the numbered passages that share the question's rarest words, each with its [n].

    `passages` come best first. Where none shares a word, what the best begins with: it was found by meaning. Empty
    where nothing was read.
    """
    found = sentences([paragraphs(text) for _, text in passages])
    scores = _scores(stems(question), found)
    ranked = sorted(range(len(found)), key=lambda index: (-scores[index], index))
    related = [found[index] for index in ranked if scores[index] > 0 and scores[index] >= scores[ranked[0]] / 2]
    told = _told(related)[:most] or _told([each for each in found if each.source == found[0].source])[:1]
    return " ".join(f"{_shortened(sentence.text)} [{passages[sentence.source][0]}]" for sentence in told)


def _told(found: Sequence[Sentence]) -> list[Sentence]:
    """Leave out headings, where there is anything else, and what was said already: neighbouring passages overlap."""
    proper = [sentence for sentence in found if not _is_label(sentence)] or found
    return list({fold(sentence.text): sentence for sentence in reversed(proper)}.values())[::-1]


def _is_label(sentence: Sentence) -> bool:
    return not _FINISHED.search(sentence.text) and len(sentence.stems) <= LABEL


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"


def _scores(wanted: frozenset[str], found: Sequence[Sentence]) -> list[float]:
    """Score sentences by the question's words in them, rare ones more, longer and unfinished sentences less."""
    holding = Counter(stem for sentence in found for stem in sentence.stems & wanted)
    worth = {stem: math.log(1 + len(found) / times) for stem, times in holding.items()}
    return [_score(sentence, wanted, worth) for sentence in found]


def _score(sentence: Sentence, wanted: frozenset[str], worth: dict[str, float]) -> float:
    score = sum(worth[stem] for stem in sentence.stems & wanted) / math.log(8 + len(sentence.stems))
    return score if _FINISHED.search(sentence.text) else score * UNFINISHED
