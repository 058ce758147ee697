"""What a question has of its own, beside what any has, in whatever language."""

import math

import pytest

from shared.domain.background import Background
from shared.domain.e5_background import E5
from shared.queries.knowledge.search import Question

LANGUAGE = (0.0, 1.0, 0.0, 0.0)
PLAIN = Background(asked=(0.5, 0.0, 0.0, 0.0), told=(0.5, 0.0, 0.0, 0.0), languages=(LANGUAGE,), least=0.2, rise=0.1)


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


@pytest.mark.parametrize("language", [0.6, 0.0, -0.6])
def test_a_passage_about_it_is_near_in_whatever_language_and_one_about_nothing_is_not(language):
    aim = PLAIN.aim((0.5, 0.6, 0.6, 0.0))
    about, elsewhere, nothing = (0.5, language, 0.6, 0.0), (0.5, language, 0.0, 0.6), (0.5, 0.1, 0.05, 0.0)
    assert cosine(aim.vector, about) >= aim.least
    assert cosine(aim.vector, elsewhere) < aim.least
    assert cosine(aim.vector, nothing) < aim.least


def test_the_limit_rises_with_each_tenfold_of_passages():
    aim = PLAIN.aim((0.5, 0.6, 0.6, 0.0))
    asked = Question("?", (0.5, 0.6, 0.6, 0.0), "m", aim.least, aim=aim.vector, rise=aim.rise)
    limits = [asked.least_among(count) for count in (0, 1, 10, 1000)]
    assert limits == pytest.approx([aim.least, aim.least, aim.least + aim.rise, aim.least + 3 * aim.rise])
    assert aim.rise * math.hypot(*aim.vector) == pytest.approx(0.1)


def test_a_question_that_is_like_any_other_has_an_aim_too():
    assert all(math.isfinite(number) for number in PLAIN.aim(PLAIN.asked).vector)


def test_the_measured_background_is_the_bundled_models():
    assert {len(row) for row in (E5.asked, E5.told, *E5.languages)} == {384}
    assert len(E5.languages) == 9
    assert [round(math.hypot(*row), 2) for row in E5.languages] == [1.0] * 9
    crossed = [cosine(E5.languages[a], E5.languages[b]) for a in range(9) for b in range(a)]
    assert max(map(abs, crossed)) < 0.01
