"""The language of prompt templates: `@name` refers to a module, `${name}` to a variable of one. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MODULE_NAME = r"[A-Za-z][A-Za-z0-9_]{0,49}"
DEEPEST_NESTING = 10
LARGEST_TEXT = 200_000  # characters that references may add to one text
_REFERENCE = re.compile(rf"(?<!\\)@({MODULE_NAME})(?![A-Za-z0-9_])")
_LIKE_A_NAME = re.compile(r"(?<!\\)@([A-Za-z0-9_]+)")
_VARIABLE = r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}"
_PLACE = re.compile(rf"(?P<escaped>\\@)|@(?P<module>{MODULE_NAME})(?![A-Za-z0-9_])|{_VARIABLE}")


def references(template: str) -> list[str]:
    r"""Return the names a template refers to, each once, in reading order; `\@name` refers to nothing."""
    return list(dict.fromkeys(_REFERENCE.findall(template)))


def invalid_names(template: str) -> list[str]:
    """Return what follows an `@` like a name and is none, each once: it begins with a digit or is too long."""
    return [name for name in dict.fromkeys(_LIKE_A_NAME.findall(template)) if not re.fullmatch(MODULE_NAME, name)]


BY_WORDS_ONLY = "searched_by_words_only"  # no vector was to be had: the warning of a search that may miss something


class Warned(NamedTuple):
    """Something that a prompt had to go without (seed 001's record)."""

    module_name: str
    warning_type: str
    message: str
    stage: int | None = None


@dataclass(frozen=True)
class Piece:
    """What a module contributes: its content, and the variables that the content may name.

    A script without content contributes the values of its variables; `text` stands for what is inserted as it is.
    """

    content: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True)
class Resolved:
    """A text whose references are filled in, the modules it took, and what it had to go without."""

    text: str
    modules: tuple[str, ...]
    warnings: tuple[Warned, ...]


def resolve(template: str, pieces: Mapping[str, Piece], *, later: Iterable[str] = ()) -> Resolved:
    r"""Fill in the references of a text and of the contents that it refers to, in one pass over each.

    What a script returned is inserted and never read again, so nobody can talk a reference into a prompt. A name
    without a piece stays as it is, with a warning unless it comes `later`; so does one that would go round in a
    circle. Contents nest ten deep, and add 200,000 characters at most.
    """
    filling = _Filling(pieces, frozenset(later))
    text = filling.fill(template, {}, ())
    return Resolved(text, tuple(filling.texts), tuple(dict.fromkeys(filling.warnings)))


def has_variables(content: str | None) -> bool:
    """Say whether a content names variables."""
    return re.search(_VARIABLE, content or "") is not None


class _Filling:
    """One stage's resolution: every module's text is made once."""

    def __init__(self, pieces: Mapping[str, Piece], later: frozenset[str]) -> None:
        self.texts: dict[str, str] = {}
        self.warnings: list[Warned] = []
        self._pieces = pieces
        self._later = later
        self._left = LARGEST_TEXT

    def fill(self, text: str, variables: Mapping[str, Any], path: tuple[str, ...]) -> str:
        return _PLACE.sub(lambda found: self._charged(self._one(found, variables, path), path), text)

    def _one(self, found: re.Match[str], variables: Mapping[str, Any], path: tuple[str, ...]) -> str:
        if found["escaped"]:
            return "@"
        if found["module"]:
            return self._module(found["module"], path)
        name = found[3]
        return as_text(variables[name]) if name in variables else found[0]

    def _module(self, name: str, path: tuple[str, ...]) -> str:
        if name in path:
            return self._unresolved(name, "circular_dependency", " → ".join(f"@{each}" for each in (*path, name)))
        if len(path) == DEEPEST_NESTING:
            return self._unresolved(name, "nested_too_deep", f"@{name} lies more than {DEEPEST_NESTING} modules deep")
        if name in self._later:
            return f"@{name}"
        if name not in self._pieces:
            return self._unresolved(name, "module_not_found", f"there is no active module @{name}")
        if name not in self.texts:
            self.texts[name] = ""  # the order of the names is that of reading
            self.texts[name] = self._made(self._pieces[name], (*path, name))
        return self.texts[name]

    def _made(self, piece: Piece, path: tuple[str, ...]) -> str:
        if piece.text is not None:
            return piece.text
        if piece.content.strip():
            return self.fill(piece.content, piece.variables, path)
        return "\n".join(as_text(value) for value in piece.variables.values())

    def _unresolved(self, name: str, kind: str, message: str) -> str:
        self.warnings.append(Warned(name, kind, message))
        return f"@{name}"

    def _charged(self, text: str, path: tuple[str, ...]) -> str:
        self._left -= len(text)
        if self._left >= 0:
            return text
        last = path[-1] if path else ""
        self.warnings.append(Warned(last, "too_large", f"modules may add {LARGEST_TEXT} characters to a prompt"))
        return ""


def as_text(value: Any) -> str:
    """Write a variable into a text: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
