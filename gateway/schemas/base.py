"""What every schema shares: text that Postgres can hold on the way in, rows of the database on the way out."""

from collections.abc import Iterator
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gateway.schemas.wording import reworded
from shared.domain.text import is_storable

Row = TypeVar("Row")

UNSTORABLE = "text must not hold NUL or unpaired surrogate characters"


class Input(BaseModel):
    """Something a caller sends; an unknown field is an error, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _say_it_in_words(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise reworded(error, cls) from None

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        if any(not is_storable(text) for text in texts(self.__dict__)):
            raise ValueError(UNSTORABLE)
        return self


def at_most_bytes(most: int) -> AfterValidator:
    """Refuse a text that is longer in UTF-8: Postgres' indexes count bytes, and take no row of more than 2,704."""

    def check(text: str) -> str:
        if len(text.encode(errors="surrogatepass")) > most:
            raise ValueError(f"text must not be longer than {most} bytes in UTF-8")
        return text

    return AfterValidator(check)


Uri = Annotated[str, Field(min_length=1, max_length=2000), at_most_bytes(2000)]
Source = Annotated[str, Field(min_length=1, max_length=255), at_most_bytes(255)]


class Change(Input):
    """A partial change: `given()` holds only what the caller sent, so that null can mean null."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Leave the defaults out of the documentation: what is not sent stays as it is."""
        schema = handler(core)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            field.pop("default", None)
        return schema

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        return self.model_dump(exclude_unset=True)

    def apply_to(self, row: Row) -> Row:
        """Set what was sent on a row, and return it."""
        for column, value in self.given().items():
            setattr(row, column, value)
        return row


class Output(BaseModel):
    """Something the gateway answers, from a row or from plain values."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Describe what is answered: under the names of the fields, not of the columns they are read from."""
        return super().model_json_schema(*args, **kwargs | {"mode": "serialization"})


class AsKept:
    """Marks a JSON object that is answered as it is kept: its keys are described, and neither checked nor left out."""

    def __get_pydantic_core_schema__(self, shape: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take any value, and keep the shape at hand for its description."""
        kept = core_schema.wrap_serializer_function_ser_schema(lambda value, _: value, schema=handler(shape))
        return core_schema.any_schema(serialization=kept)

    def __get_pydantic_json_schema__(self, kept: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the shape."""
        return handler(kept["serialization"]["schema"])


AS_KEPT = AsKept()


def example(**values: Any) -> ConfigDict:
    """Give a schema the example that the documentation shows and the contract tests send."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def texts(value: Any) -> Iterator[str]:
    """Yield every text inside a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(key)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
