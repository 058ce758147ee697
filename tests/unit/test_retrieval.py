"""Collections' sizes, and the fusion of rankings."""

import pytest

from shared.domain.persona import CollectionType
from shared.domain.retrieval import (
    DEFAULTS,
    Collection,
    Hit,
    capped,
    configured,
    copies,
    effective,
    fused,
    without_copies,
)


def test_seed_000s_defaults() -> None:
    assert {name.value: (c.chunk_size, c.chunk_overlap, c.top_k) for name, c in DEFAULTS.items()} == {
        "works": (1024, 128, 8),
        "quotes": (512, 64, 10),
        "profile": (2048, 256, 5),
    }


@pytest.mark.parametrize("collection", list(CollectionType))
def test_a_passage_never_exceeds_the_embedding_models_window(collection: CollectionType) -> None:
    assert effective(configured(collection), window=512).chunk_size < 512


@pytest.mark.capability("C86")
def test_seed_000s_sizes_apply_with_a_model_whose_window_is_large_enough() -> None:
    assert {name: effective(configured(name), window=8192) for name in CollectionType} == DEFAULTS
    assert effective(DEFAULTS[CollectionType.WORKS], window=64).chunk_overlap == 8


def test_an_override_applies_within_the_window() -> None:
    asked = configured(CollectionType.WORKS, chunk_size=200, chunk_overlap=20, top_k=3)
    assert effective(asked, window=512) == asked == Collection(200, 20, 3)


def test_fusion_prefers_what_both_rankings_found() -> None:
    assert next(key for key, _ in fused(["a", "b", "c"], ["c", "d"])) == "c"


def test_fusion_breaks_ties_by_key() -> None:
    assert [key for key, _ in fused(["b"], ["a"])] == ["a", "b"]


@pytest.mark.capability("C86")
def test_of_each_collection_the_first_top_k_are_kept_in_their_order() -> None:
    works, quotes = CollectionType.WORKS, CollectionType.QUOTES
    kinds = {"a": works, "b": quotes, "c": works, "d": works, "e": None, "f": quotes}
    assert capped("abcdef", kinds, {works: 2}) == ["a", "b", "c", "e", "f"]


def test_of_passages_with_the_same_text_one_is_ranked_at_its_best_place() -> None:
    by_words = {"b": Hit(None, share=0.9, text="same"), "c": Hit(None, text="other"), "a": Hit(None, text="same")}
    by_vector = {"a": Hit(None, 0.8, text="same"), "b": Hit(None, 0.8, text="same"), "d": Hit(None, 0.1)}
    same = copies(by_words, by_vector)
    assert same == {"b": ["b", "a"], "c": ["c"], "d": ["d"]}
    assert [*without_copies(by_words, same)] == ["b", "c"]
    assert without_copies(by_vector, same) == {"b": by_vector["a"], "d": by_vector["d"]}
