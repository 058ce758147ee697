"""Seed 002, Persona-API: its examples, word for word but for the import lines, `await` dropped."""

import pytest

from tests.conformance.inventory import example

pytestmark = [pytest.mark.capability("C183"), pytest.mark.usefixtures("session")]


@example("002", 2)
def test_using_the_repository_pattern():
    from shared.api.persona_api import PersonaCreate, get_persona_repository

    repo = get_persona_repository()

    # Create
    persona_data = PersonaCreate(
        raw_text="Some text about a person",
        persona={"name": "John", "traits": ["friendly"]}
    )
    created = repo.create(persona_data)

    # Read
    persona = repo.read(created.id)

    assert (persona.id, persona.raw_text) == (created.id, "Some text about a person")
    assert persona.persona == {"name": "John", "traits": ["friendly"]}

    # Update
    from shared.api.persona_api import PersonaUpdate
    updated = repo.update(
        created.id,
        PersonaUpdate(persona={"name": "John", "traits": ["friendly", "smart"]})
    )

    assert updated.persona["traits"] == ["friendly", "smart"]
    assert updated.raw_text == "Some text about a person"
    assert updated.updated_at > updated.created_at

    # Delete
    repo.delete(created.id)

    # List all
    personas, total = repo.read_all(limit=10, offset=0)

    # Count
    count = repo.count()

    assert (personas, total, count) == ([], 0, 0)
    assert repo.read(created.id) is None
    assert repo.update(created.id, PersonaUpdate()) is None
    assert repo.delete(created.id) is False


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param({"raw_text": "John is kind.", "persona": {"meta": {"name": "John"}}}, "", id="good"),
        pytest.param({"raw_text": "", "persona": {}}, "Validation error: ", id="no text"),
    ],
)
@example("002", 4)
def test_error_handling(data, said, capsys):
    from shared.api.persona_api import APIError, get_persona_repository

    repo = get_persona_repository()

    try:
        persona = repo.create(data)
    except APIError as e:
        print(f"Database error: {e}")
    except ValueError as e:
        print(f"Validation error: {e}")

    assert capsys.readouterr().out.startswith(said)
    assert [stored.name for stored in repo.read_all()[0]] == ([] if said else ["John"])
