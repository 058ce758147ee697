"""What a persona is called and says when only a part is given."""

import pytest

from shared.domain.persona import free_slug, name_from, quotes_from, slug_from, template_from


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        pytest.param({"meta": {"name": " Ada "}}, "Ada", id="named"),
        pytest.param({"meta": {"name": " "}}, "Unnamed", id="blank"),
        pytest.param({"meta": {"name": 7}}, "Unnamed", id="no text"),
        pytest.param({"meta": "Ada"}, "Unnamed", id="no object"),
        pytest.param({"name": "John"}, "Unnamed", id="named elsewhere"),
        pytest.param({}, "Unnamed", id="empty"),
        pytest.param(None, "Unnamed", id="no profile"),
    ],
)
def test_a_name_comes_from_the_profile(profile: dict[str, object] | None, name: str):
    assert name_from(profile) == name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        pytest.param("Nikola Tesla", "nikola-tesla", id="words"),
        pytest.param("Ion Luca  Caragiale!", "ion-luca-caragiale", id="spaces and marks"),
        pytest.param("Ștefan Țăranu", "stefan-taranu", id="commas below"),
        pytest.param("Şaguna", "saguna", id="cedilla"),
        pytest.param("紫式部", "persona-1896ae36", id="nothing left"),
        pytest.param("a" * 99 + " b", "a" * 99, id="cut at the limit, without a trailing hyphen"),
    ],
)
def test_a_slug_is_made_of_the_name(name: str, slug: str):
    assert slug_from(name) == slug


@pytest.mark.parametrize(
    ("taken", "slug"),
    [
        pytest.param(set(), "ada", id="free"),
        pytest.param({"ada"}, "ada-2", id="taken"),
        pytest.param({"ada", "ada-2", "ada-4"}, "ada-3", id="the first gap"),
        pytest.param({"ada-2"}, "ada", id="only a suffixed one"),
    ],
)
def test_a_taken_slug_is_numbered(taken: set[str], slug: str):
    assert free_slug("ada", taken) == slug


def test_a_template_is_built_from_what_there_is():
    assert template_from("Ada") == "You are Ada."
    assert template_from("Ada", voice_prompt="Be Ada.", description="A poet.", speaking_style="Brief.") == (
        "Be Ada.\n\nAbout you: A poet.\n\nYour way of speaking: Brief."
    )


def test_an_at_sign_in_prose_refers_to_no_module():
    assert template_from("Ada", voice_prompt=r"Ask @bob, \@ann, 5 @ 3") == r"Ask \@bob, \@ann, 5 @ 3"


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        pytest.param('["a", 1]', ["a", "1"], id="an array"),
        pytest.param('{"a": 1}', [], id="an object"),
        pytest.param("not json", [], id="no JSON"),
        pytest.param("", [], id="empty"),
        pytest.param(None, [], id="nothing"),
    ],
)
def test_quotes_are_read_from_a_json_array(text: str | None, quotes: list[str]):
    assert quotes_from(text) == quotes
