"""What a script may ask about the functions of `ctx`."""

from shared.domain.language import CONTEXT_FUNCTIONS
from shared.scripting.context import Context


def has_function(context: Context, name: str) -> bool:
    """Say whether there is a function of this name."""
    return name in CONTEXT_FUNCTIONS


def get_available_functions(context: Context) -> list[str]:
    """Return the names of all functions, in alphabetical order."""
    return sorted(CONTEXT_FUNCTIONS)
