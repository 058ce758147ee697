"""What a persona is called and says when whoever made it gave only a part. Pure."""

import hashlib
import json
import re
from collections.abc import Collection
from enum import StrEnum
from itertools import count
from typing import Any

from shared.domain.text import fold

UNNAMED = "Unnamed"
LONGEST_SLUG = 100
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_REFERRING = re.compile(r"(?<!\\)@(?=[A-Za-z])")


class PersonaStatus(StrEnum):
    """How far a persona's ingestion has come (seed 000)."""

    DRAFT = "draft"
    INGESTING = "ingesting"
    ACTIVE = "active"
    FAILED = "failed"


class PersonaMode(StrEnum):
    """Whether a persona only answers, or also runs turns of its own accord (seed 001)."""

    REACTIVE = "reactive"
    AUTONOMOUS = "autonomous"


class CollectionType(StrEnum):
    """What a piece of knowledge is to its persona (seed 000)."""

    WORKS = "works"
    QUOTES = "quotes"
    PROFILE = "profile"


class JobStatus(StrEnum):
    """The states of an ingestion job (seed 000)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


def name_from(profile: dict[str, Any] | None) -> str:
    """Return the name in a structured profile's `meta`, or "Unnamed"."""
    meta = (profile or {}).get("meta")
    name = meta.get("name") if isinstance(meta, dict) else None
    return name.strip() if isinstance(name, str) and name.strip() else UNNAMED


def slug_from(name: str) -> str:
    """Return a name as lower-case ASCII words joined by hyphens; a short hash of it where nothing is left."""
    slug = _NO_SLUG.sub("-", fold(name)).strip("-")
    return slug[:LONGEST_SLUG].rstrip("-") or f"persona-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def free_slug(slug: str, taken: Collection[str]) -> str:
    """Return the slug, or the first of slug-2, slug-3 … that is not taken."""
    if slug not in taken:
        return slug
    return next(f"{slug}-{number}" for number in count(2) if f"{slug}-{number}" not in taken)


def template_from(
    name: str, *, voice_prompt: str | None = None, description: str | None = None, speaking_style: str | None = None
) -> str:
    """Build a prompt template from seed 000's fields; an `@` in them stays a letter and names no module."""
    parts = [
        voice_prompt or f"You are {name}.",
        f"About you: {description}" if description else "",
        f"Your way of speaking: {speaking_style}" if speaking_style else "",
    ]
    return _REFERRING.sub(r"\\@", "\n\n".join(part for part in parts if part))


def quotes_from(text: str | None) -> list[str]:
    """Read a JSON array of quotes; anything else is no quotes (seed 000)."""
    try:
        quotes = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(quote) for quote in quotes] if isinstance(quotes, list) else []
