"""Modules over REST."""

import pytest

MODULES = "/api/v1/modules"


@pytest.fixture
def client(client_of):
    return client_of("write")


@pytest.mark.capability("C47")
@pytest.mark.parametrize(
    ("name", "status"),
    [("clock", 201), ("taken", 409), ("9a", 422), ("a" * 51, 422), ("a" * 50, 201), ("a b", 422), ("", 422)],
)
def test_a_modules_name_can_be_referred_to_and_is_its_own(client, name, status):
    client.post(MODULES, json={"name": "taken"})
    assert client.post(MODULES, json={"name": name}).status_code == status


@pytest.mark.capability("C47")
def test_a_change_into_a_taken_name_is_a_conflict(client):
    client.post(MODULES, json={"name": "taken"})
    module = client.post(MODULES, json={"name": "free"}).json
    assert client.patch(f"{MODULES}/{module['id']}", json={"name": "taken"}).status_code == 409


@pytest.mark.capability("C47")
@pytest.mark.parametrize(
    ("query", "names"), [("", {"on"}), ("?active_only=false", {"on", "off"}), ("?type=simple", {"on"})]
)
def test_inactive_modules_are_hidden_unless_asked_for(client, query, names):
    client.post(MODULES, json={"name": "on"})
    client.post(MODULES, json={"name": "off", "is_active": False})
    assert {module["name"] for module in client.get(MODULES + query).json["items"]} == names


@pytest.mark.capability("C48")
@pytest.mark.parametrize(
    ("script", "needs_ai"),
    [
        pytest.param("x = ctx.generate('hi')", True, id="a call"),
        pytest.param("# ctx.generate('hi')\nx = 1", False, id="a comment"),
        pytest.param("g = ctx.generate\nx = g('hi')", True, id="an alias"),
    ],
)
def test_a_script_is_analysed_when_it_is_saved_and_when_it_changes(client, script, needs_ai):
    made = client.post(MODULES, json={"name": "a", "type": "advanced", "script": script}).json
    assert made["requires_ai_inference"] is needs_ai
    changed = client.patch(f"{MODULES}/{made['id']}", json={"script": "x = 1"}).json
    assert changed["requires_ai_inference"] is False


@pytest.mark.capability("C49")
def test_the_analysis_is_told_and_a_syntax_error_is_no_failure(client):
    made = client.post(MODULES, json={"name": "a", "type": "advanced", "script": "for"}).json
    assert made["script_analysis_metadata"]["analysis_success"] is False


def test_a_module_is_deleted(client):
    module = client.post(MODULES, json={"name": "a"}).json
    assert client.delete(f"{MODULES}/{module['id']}").status_code == 204
    assert client.get(f"{MODULES}/{module['id']}").status_code == 404
    assert client.delete(f"{MODULES}/{module['id']}").status_code == 404


@pytest.mark.capability("C56")
def test_a_template_is_looked_at_and_nothing_of_it_runs(client):
    client.post(MODULES, json={"name": "clock", "type": "advanced", "script": "while True: pass"})
    client.post(MODULES, json={"name": "off", "is_active": False})
    found = client.post("/api/v1/templates/validate", json={"template": r"@clock @off \@no @9a @clock"}).json
    assert found == {
        "is_valid": False,
        "module_references": ["clock", "off"],
        "existing_modules": ["clock"],
        "missing_modules": ["off"],
        "invalid_module_names": ["9a"],
        "total_modules_found": 1,
    }


@pytest.mark.capability("C72")
def test_what_the_sandbox_lacks_is_told_with_its_line(client):
    made = client.post(MODULES, json={"name": "a", "type": "advanced", "script": "x = 1\ndel x.y"}).json
    (gap,) = made["script_analysis_metadata"]["language_gaps"]
    assert gap["line"] == 2
    assert "del" in gap["message"]
    assert made["warnings"] == [f"the script will fail: line 2: {gap['message']}"]


@pytest.mark.capability("C199")
@pytest.mark.parametrize(("pattern", "why"), [("a{1000000}", "multiply"), ("([", "no regular expression")])
def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(client, pattern, why):
    answer = client.post(MODULES, json={"name": "a", "trigger_pattern": pattern})
    assert answer.status_code == 422
    assert why in str(answer.json["details"])


def test_saving_a_broken_script_warns_in_the_answer(client):
    made = client.post(MODULES, json={"name": "a", "type": "advanced", "script": "if x"}).json
    assert "cannot be read" in made["warnings"][0]
    changed = client.patch(f"{MODULES}/{made['id']}", json={"script": "x = 1"}).json
    assert changed["warnings"] == []
