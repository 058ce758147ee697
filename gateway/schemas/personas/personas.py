"""Personas, under the names of all the seeds."""

import json
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AliasChoices, BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from gateway.schemas.base import Change, Input, Output, example
from gateway.schemas.paging import Page, PageQuery
from shared.domain.persona import PersonaMode, PersonaStatus, quotes_from, slug_from

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Year = Annotated[int, Field(ge=-9999, le=9999)]
TopK = Annotated[int, Field(ge=1, le=20)]
Color = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
Loop = Annotated[float, Field(gt=0, lt=1_000_000, allow_inf_nan=False)]
Quotes = Annotated[list[str], PlainSerializer(json.dumps)]  # kept as a JSON array in text, as seed 000 documents it
LOOP_RULE = "loop_frequency is for autonomous personas only"


class PersonaChange(Change):
    """What to change of a persona."""

    model_config = example(description="Electrical engineer", speaking_style="Precise")

    name: Name = Field(default="", validation_alias=AliasChoices("name", "display_name"))
    slug: Slug = Field(default="", validation_alias=AliasChoices("slug", "persona_id"))
    description: str | None = None
    is_active: bool = True
    template: str = Field(default="", min_length=1)
    mode: PersonaMode = PersonaMode.REACTIVE
    loop_frequency: Loop | None = None
    first_message: str | None = None
    extra_data: dict[str, Any] = Field(default_factory=dict)
    birth_year: Year | None = None
    death_year: Year | None = None
    speaking_style: str | None = None
    key_themes: str | None = None
    voice_prompt: str | None = None
    representative_quotes: Quotes | None = None
    color: Color = "#666666"
    works_top_k: TopK | None = None
    quotes_top_k: TopK | None = None
    profile_top_k: TopK | None = None
    works_chunk_size: int | None = Field(default=None, ge=32, le=8192)
    works_chunk_overlap: int | None = Field(default=None, ge=0, le=4096)


class PersonaIn(PersonaChange):
    """A persona to add; what is left out is derived: the slug from the name, the template from voice and style."""

    model_config = example(
        name="Nikola Tesla",
        description="Inventor",
        voice_prompt="You are Nikola Tesla. Speak with scientific precision.",
        first_message="What shall we electrify?",
        representative_quotes=["The present is theirs; the future is mine."],
        color="#4A90E2",
    )

    name: Name = Field(validation_alias=AliasChoices("name", "display_name"))

    @model_validator(mode="after")
    def _loops_only_when_autonomous(self) -> Self:
        if self.loop_frequency is not None and self.mode is PersonaMode.REACTIVE:
            raise ValueError(LOOP_RULE)
        return self

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent, and a slug: the same name twice is a conflict at this door."""
        return {"slug": slug_from(self.name)} | super().given()


class PersonaQuery(PageQuery):
    """Which personas."""

    status: PersonaStatus | None = None
    mode: PersonaMode | None = None
    active_only: bool = True
    listed_only: bool = False


class PersonaOut(Output):
    """A persona."""

    id: UUID
    slug: str
    name: str
    description: str | None
    status: PersonaStatus
    is_active: bool
    template: str
    mode: PersonaMode
    loop_frequency: float | None
    first_message: str | None
    image_path: str | None
    extra_data: dict[str, Any]
    birth_year: int | None
    death_year: int | None
    speaking_style: str | None
    key_themes: str | None
    voice_prompt: str | None
    representative_quotes: Annotated[list[str], BeforeValidator(quotes_from)]
    color: str
    works_top_k: int | None
    quotes_top_k: int | None
    profile_top_k: int | None
    works_chunk_size: int | None
    works_chunk_overlap: int | None
    created_at: datetime
    updated_at: datetime


class PersonaSaved(PersonaOut):
    """A persona as it was saved; `warnings` say what of its template will lead to nothing."""

    warnings: list[str] = Field(default_factory=list)


class PersonaPage(Page[PersonaOut]):
    """Personas, newest first."""


class PersonaDeletion(Input):
    """Whether the documents of a persona outlive it."""

    keep_files: bool = False
