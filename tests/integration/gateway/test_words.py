"""What a newcomer does wrong, answered with what would be right."""

import pytest

from gateway import create_app
from tests.integration.gateway.conftest import settings_for_tests

NO_UUID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("body", "known"),
    [
        ({"name": "Ana", "tempalte": "x"}, "did you mean template?"),
        ({"name": "Ana", "spec": "chara_card_v2"}, "representative_quotes"),
        ({"name": "Ana", "spec": "chara_card_v2"}, "display_name"),
    ],
)
def test_an_unknown_field_is_answered_with_the_known_ones(admin, body, known):
    response = admin.post("/api/v1/personas", json=body)
    assert response.status_code == 422
    assert known in response.json["error"]


def test_an_unknown_parameter_is_answered_with_the_known_ones(admin):
    response = admin.get("/api/v1/personas?q=tesla")
    assert response.status_code == 422
    assert "active_only" in response.json["details"]["query"]["q"][0]


def test_an_unknown_field_inside_a_list_is_answered_with_those_of_its_place(admin):
    body = {"messages": [{"role": "user", "content": "Hello", "contents": "?"}]}
    found = admin.post(f"/api/v1/conversations/{NO_UUID}/messages/import", json=body).json["details"]["json"]
    assert found == {"messages.0.contents": [found["messages.0.contents"][0]]}
    assert "role, content, thinking, extra_data; did you mean content?" in found["messages.0.contents"][0]


def test_braces_in_a_name_stay_as_they_are(admin):
    assert "{x}" in admin.post("/api/v1/personas", json={"name": "Ana", "{x}": 1}).json["error"]


@pytest.mark.parametrize("body", [[], "text", 3])
def test_a_body_that_is_no_object_is_told_so(admin, body):
    response = admin.post("/api/v1/personas", json=body)
    assert (response.status_code, "send an object" in response.json["error"]) == (422, True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/personas/tesla", "'tesla' is not a uuid, as persona_id is"),
        ("/api/v1/personas/1/files/2", "'1' is not a uuid, as persona_id is; '2' is not a uuid, as file_id is"),
        ("/api/v1/turns/abc/", "'abc' is not a number, as turn_id is"),
        ("/api/v1/turns/-1", "'-1' is not a number"),
        (f"/api/v1/work/persona/{NO_UUID}/why", "of work of the kinds turns, steps"),
        ("/api/v1/work/banana/1/why", "there are turns, steps"),
        ("/api/v1/turn/1", "there is nothing at /api/v1/turn/1"),
    ],
)
def test_an_id_of_another_form_is_told_so(admin, path, words):
    response = admin.get(path)
    assert response.status_code == 404
    assert words in response.json["error"]


def test_a_uuid_in_a_body_is_told_to_be_none(admin):
    response = admin.post("/api/v1/conversations", json={"persona_id": "tesla"})
    assert response.json["error"] == "persona_id: this is not a uuid"


def test_a_name_that_makes_a_taken_slug_is_told_with_both(admin):
    admin.post("/api/v1/personas", json={"name": "Ana Pop"})
    said = admin.post("/api/v1/personas", json={"name": "Ana  POP"})
    assert said.status_code == 409
    assert "'Ana  POP'" in said.json["error"]
    assert "'ana-pop'" in said.json["error"]


def test_a_slug_that_is_taken_is_named(admin):
    admin.post("/api/v1/personas", json={"name": "Ana", "slug": "one"})
    other = admin.post("/api/v1/personas", json={"name": "Ben", "slug": "two"}).json["id"]
    posted = admin.post("/api/v1/personas", json={"name": "Cora", "slug": "one"})
    changed = admin.patch(f"/api/v1/personas/{other}", json={"slug": "one"})
    for said in (posted, changed):
        assert (said.status_code, "the slug 'one'" in said.json["error"]) == (409, True)


def test_a_module_of_a_taken_name_is_told_with_it(admin):
    module = {"name": "clock", "content": "Now."}
    admin.post("/api/v1/modules", json=module)
    said = admin.post("/api/v1/modules", json=module)
    assert (said.status_code, "'clock'" in said.json["error"]) == (409, True)


def test_a_changed_user_whose_address_is_taken_is_told_which_field(admin):
    admin.post("/api/v1/users", json={"email": "a@example.org"})
    ben = admin.post("/api/v1/users", json={"email": "b@example.org"}).json["id"]
    said = admin.patch(f"/api/v1/users/{ben}", json={"email": "a@example.org"})
    assert (said.status_code, "same email" in said.json["error"]) == (409, True)


def test_a_template_that_refers_to_nothing_is_saved_with_a_warning(admin):
    admin.post("/api/v1/modules", json={"name": "clock", "content": "Now."})
    said = admin.post("/api/v1/personas", json={"name": "Ana", "template": "You are Ana. @clock @nowhere"})
    assert said.status_code == 201
    assert said.json["warnings"] == ["the template refers to @nowhere: there is no active module nowhere"]
    changed = admin.patch(f"/api/v1/personas/{said.json['id']}", json={"template": "You are Ana. @clock"})
    assert changed.json["warnings"] == []
    assert "warnings" not in admin.get(f"/api/v1/personas/{said.json['id']}").json


@pytest.fixture
def page_of(tmp_path):
    """Call the gateway as a browser does for a page of an origin, where the operator has named some."""

    def call(origin, *, allowed, method="OPTIONS", path="/api/v1/personas"):
        client = create_app(settings_for_tests(data_dir=tmp_path, cors_origins=allowed)).test_client()
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return client.open(path, method=method, headers=asked)

    return call


@pytest.mark.parametrize("allowed", ["https://app.example.com", "http://a.test, https://app.example.com/ ", "*"])
def test_a_named_origin_may_call(page_of, session, allowed):
    asked = page_of("https://app.example.com", allowed=allowed)
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    refused = page_of("https://app.example.com", allowed=allowed, method="GET")
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "https://app.example.com")


@pytest.mark.parametrize("allowed", ["", "https://app.example.com"])
def test_no_other_origin_may(page_of, session, allowed):
    for method in ("OPTIONS", "GET"):
        asked = page_of("https://evil.example.com", allowed=allowed, method=method)
        assert asked.status_code == 401
        assert "Access-Control-Allow-Origin" not in asked.headers
