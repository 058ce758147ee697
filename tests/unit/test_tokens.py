"""Passages are counted from above, so that the embedding model reads them whole, and not far above where prose is."""

import pytest

from shared.domain.tokens import count_for_embedding, count_roughly
from shared.providers.parsing.chunker import chunk

PROSE = (
    "The coil was built in Colorado, where it hummed all night, and the neighbours complained to the mayor about it. "
)
MEASURED = [  # with the tokenizer of multilingual-e5, its two marks left out
    pytest.param(PROSE * 10, 290, 1.15, id="English"),
    pytest.param(
        "Bobina a fost construită în Colorado, unde a zumzăit toată noaptea, iar vecinii s-au plâns primăriei. " * 10,
        310,
        1.25,
        id="Romanian",
    ),
    pytest.param("| 1 | 2.50 | abc |\n" * 60, 780, 1.3, id="a table"),
    pytest.param('{"id": 17, "name": "x_y", "tags": ["a", "b"], "on": true}\n' * 20, 680, 1.3, id="JSON"),
    pytest.param("https://example.com/a/b?c=1&d=2-x_y.html " * 20, 460, 1.3, id="addresses"),
    pytest.param("他在一八九一年创建了一个实验室并且在那里研究交流电。" * 15, 225, 1.6, id="Chinese"),
    pytest.param("コイルはコロラドで作られ、一晩中うなりを上げていた。" * 10, 210, 1.3, id="Japanese"),
    pytest.param("Катушка была построена в Колорадо, где она гудела всю ночь. " * 10, 170, 1.5, id="Russian"),
    pytest.param("😀🚀" * 100, 200, 1.3, id="emoji"),
    pytest.param("─│┌┐→∑√≤" * 40, 320, 1.3, id="signs that draw"),
]


@pytest.mark.parametrize(("text", "tokens", "most"), MEASURED)
def test_the_embedding_model_makes_no_more_tokens_and_not_many_less(text: str, tokens: int, most: float) -> None:
    assert tokens <= count_for_embedding(text) <= most * tokens


def test_chunks_of_prose_hold_as_much_as_they_say() -> None:
    longest = max(len(each.text) for each in chunk(PROSE * 100, 480))
    assert longest >= 3 * 480


def test_a_chat_models_smaller_vocabulary_makes_more_tokens_of_the_same() -> None:
    assert count_roughly(PROSE) > count_for_embedding(PROSE)
