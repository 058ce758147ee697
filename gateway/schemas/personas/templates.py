"""Templates: the texts that refer to modules."""

from pydantic import Field

from gateway.schemas.base import Input, Output, example


class TemplateIn(Input):
    """A template to look at; nothing of it is executed."""

    model_config = example(template="You are Ava. @clock")

    template: str = Field(min_length=1)


class TemplateOut(Output):
    """What a template refers to, and what of it is there."""

    is_valid: bool
    module_references: list[str]
    existing_modules: list[str]
    missing_modules: list[str]
    invalid_module_names: list[str]
    total_modules_found: int
