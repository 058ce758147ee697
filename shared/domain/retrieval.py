"""How each collection of a persona is cut, and how much of it is recalled (seed 000). Pure."""

from collections import Counter
from collections.abc import Collection as Collected
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.persona import CollectionType

WINDOW_RESERVE = 32  # the model's own prefix, and the error of a counter that is no tokenizer
TELLING = 0.5  # of what a question's words are worth: a passage that holds so much is not found by chance
EXACT = 0.1  # more than a passage can score by being first in both rankings
TopK = Mapping[CollectionType, int]


@dataclass(frozen=True)
class Collection:
    """Tokens per passage, tokens shared with the one before, passages recalled per question."""

    chunk_size: int
    chunk_overlap: int
    top_k: int


DEFAULTS = {
    CollectionType.WORKS: Collection(1024, 128, 8),
    CollectionType.QUOTES: Collection(512, 64, 10),
    CollectionType.PROFILE: Collection(2048, 256, 5),
}


def configured(
    collection: CollectionType,
    *,
    chunk_size: int | None = None,
    chunk_overlap: int | None = None,
    top_k: int | None = None,
) -> Collection:
    """Return what is asked for: the overrides, and seed 000's defaults for the rest."""
    default = DEFAULTS[collection]
    overlap = default.chunk_overlap if chunk_overlap is None else chunk_overlap
    return Collection(chunk_size or default.chunk_size, overlap, top_k or default.top_k)


def effective(asked: Collection, *, window: int) -> Collection:
    """Return what really applies: what is asked for, within the tokens that the embedding model reads at once."""
    size = min(asked.chunk_size, window - WINDOW_RESERVE)
    return Collection(size, min(asked.chunk_overlap, size // 4), asked.top_k)


def misfit(model: str, stored: int, sent: int) -> str:
    """Say that vectors cannot be compared, and what is to be done."""
    return (
        f"the embedding server answers {sent} numbers, the vectors of {model} have {stored} here: check "
        "PERSONAE_EMBEDDING_URL and PERSONAE_EMBEDDING_MODEL; if the model was changed under the same name, delete it "
        "from the table embedding_models, and all is embedded anew"
    )


def fused(*rankings: list[str], constant: int = 60) -> list[tuple[str, float]]:
    """Fuse rankings of keys by reciprocal rank, best first (Cormack, Clarke and Büttcher, SIGIR 2009)."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for position, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1.0 / (constant + position)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def exact_first(scores: Iterable[tuple[str, float]], exact: Collected[str]) -> list[tuple[str, float]]:
    """Put what holds a question's codes, names and numbers as they are written before all that is only alike."""
    raised = [(key, score + (EXACT if key in exact else 0.0)) for key, score in scores]
    return sorted(raised, key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True)
class Hit:
    """What speaks for a passage: its cosine to the question, and its share of what the question's words are worth."""

    collection: CollectionType | None
    similarity: float | None = None  # None: one of the two has no vector
    nearness: float | None = None  # the cosine to what the question is about: that to the question, or to its aim
    share: float = 0.0
    surety: int = 0  # above 0: it holds a code or a number of the question
    text: str = ""  # the hash of its text, where that is known

    def is_about(self, least: float) -> bool:
        """Say whether the passage has to do with the question: by its meaning, by telling words or by a code."""
        near = self.nearness is None or self.nearness >= least
        return near or self.share >= TELLING or self.surety > 0


def copies(*rankings: Mapping[str, Hit]) -> dict[str, list[str]]:
    """Return by its key each passage to be shown, with all that have the same text: the first to come, and itself."""
    by_text: dict[str, list[str]] = {}
    for key, hit in ((key, hit) for ranking in rankings for key, hit in ranking.items()):
        same = by_text.setdefault(hit.text or key, [])
        if key not in same:
            same.append(key)
    return {same[0]: same for same in by_text.values()}


def without_copies(ranking: Mapping[str, Hit], shown: Mapping[str, Sequence[str]]) -> dict[str, Hit]:
    """Return a ranking with each text once, at its best place, under the key of the passage to be shown."""
    shown_for = {key: first for first, same in shown.items() for key in same}
    once: dict[str, Hit] = {}
    for key, hit in ranking.items():
        once.setdefault(shown_for[key], hit)
    return once


def capped(ranking: Iterable[str], kind_of: Mapping[str, CollectionType | None], top_k: TopK) -> list[str]:
    """Keep the first `top_k` keys of each collection in a ranking, and all of one that `top_k` does not name."""
    seen: Counter[CollectionType | None] = Counter()
    kept = []
    for key in ranking:
        kind = kind_of[key]
        seen[kind] += 1
        if kind is None or seen[kind] <= top_k.get(kind, seen[kind]):
            kept.append(key)
    return kept
