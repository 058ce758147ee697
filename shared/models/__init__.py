"""Every table; import from here so that the metadata is whole."""

from shared.models.base import Base, Identified, Owned, Timestamped, Work

__all__ = ["Base", "Identified", "Owned", "Timestamped", "Work"]
