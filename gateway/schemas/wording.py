"""What is wrong with an input, in words that say what to send instead."""

from difflib import get_close_matches

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

OBJECT = "send an object, {…}, with the fields of this request"
# By the kind of an error of pydantic's; what is not here is clear in its own words.
WORDS = {
    "missing": "this field is needed",
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dict_type": "send an object, {…}",
    "list_type": "send a list, […]",
    "string_type": "send a text, in quotes",
    "uuid_parsing": "this is not a uuid",
    "uuid_type": "this is not a uuid",
    "uuid_version": "this is not a uuid",
}


def reworded(error: ValidationError, model: type[BaseModel]) -> ValidationError:
    """Return the same errors in our words; an unknown field is answered with the known ones."""
    details: list[InitErrorDetails] = []
    for found in error.errors():
        words = WORDS.get(found["type"])
        if found["type"] == "extra_forbidden" and len(found["loc"]) == 1:
            words = about_unknown(str(found["loc"][0]), fields_of(model))
        said = (words or found["msg"]).replace("{", "{{").replace("}", "}}")
        kind = PydanticCustomError("said" if words else found["type"], said)
        details.append({"type": kind, "loc": found["loc"], "input": found["input"]})
    return ValidationError.from_exception_data(error.title, details)


def about_unknown(name: str, known: list[str]) -> str:
    """Say which fields there are, and which of them was probably meant."""
    if not known:
        return "there is no such field: this takes none"
    meant = get_close_matches(name.lower(), known, n=1)
    guess = f"; did you mean {meant[0]}?" if meant else ""
    return f"there is no such field, only {', '.join(known)}{guess}"


def fields_of(model: type[BaseModel]) -> list[str]:
    """Return the names under which a model takes its fields."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        choices = field.validation_alias
        names += [str(each) for each in choices.choices] if isinstance(choices, AliasChoices) else [name]
    return names
