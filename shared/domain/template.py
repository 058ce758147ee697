"""The language of prompt templates: `@name` refers to a module, `${name}` to a variable of one. Pure."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.domain.trace import WarningTrace

MODULE_NAME = r"[A-Za-z][A-Za-z0-9_]{0,49}"
DEEPEST_NESTING = 10
LARGEST_TEXT = 200_000  # characters that references may add to one text
# An `@` behind a word, as in an address, refers to nothing; Chinese, Japanese and Korean put no space before a name.
_FREE = r"(?<![^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])(?<!@)"
_NAME_ENDS = r"(?![A-Za-z0-9_]|@[A-Za-z0-9_])"
_REFERENCE = re.compile(rf"(?<!\\){_FREE}@({MODULE_NAME}){_NAME_ENDS}")
_LIKE_A_NAME = re.compile(rf"(?<!\\){_FREE}@([A-Za-z0-9_]+){_NAME_ENDS}")
_NAME = re.compile(MODULE_NAME)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLACE = re.compile(rf"(?P<escaped>\\@)|{_FREE}@(?P<module>{MODULE_NAME}){_NAME_ENDS}|{_VARIABLE.pattern}")


def references(template: str) -> list[str]:
    r"""Return the names a template refers to, each once, in reading order; `\@name` refers to nothing."""
    return list(dict.fromkeys(_REFERENCE.findall(template)))


def invalid_names(template: str) -> list[str]:
    """Return what follows an `@` like a name and is none, each once: it begins with a digit or is too long."""
    return [name for name in dict.fromkeys(_LIKE_A_NAME.findall(template)) if not _NAME.fullmatch(name)]


def warnings_of(template: str, modules: Collection[str]) -> list[str]:
    """Say what is wrong with a template where these are the active modules: names of none, and what can be no name."""
    missing = [name for name in references(template) if name not in modules]
    return [
        *(f"the template refers to @{name}: there is no active module {name}" for name in missing),
        *(f"@{name} in the template cannot be a module's name" for name in invalid_names(template)),
    ]


class Examined(NamedTuple):
    """What a template refers to, and what of it is there (seed 001's record); valid is one that lacks nothing."""

    is_valid: bool
    module_references: list[str]
    existing_modules: list[str]
    missing_modules: list[str]
    invalid_module_names: list[str]
    total_modules_found: int


def examine(template: str, modules: Collection[str]) -> Examined:
    """Say what a template refers to where these are the active modules."""
    names, invalid = references(template), invalid_names(template)
    there = [name for name in names if name in modules]
    missing = [name for name in names if name not in modules]
    return Examined(not missing and not invalid, names, there, missing, invalid, len(there))


BY_WORDS_ONLY = "searched_by_words_only"  # no vector was to be had: the warning of a search that may miss something
NONE_FITS = "passages_left_out"  # of a turn that found passages, and could tell none
CUT = "reply_cut"  # of a reply that came to its longest length
FILTERED = "reply_filtered"  # of one that the chat server's filter ended
LEFT_OUT = "options_left_out"  # of one without options that were asked for
NOT_SEARCHED = "trigger_not_searched"  # of a module whose pattern gave no answer
MISSED, ENDED_EARLY = (BY_WORDS_ONLY, NONE_FITS), (CUT, FILTERED)


class Warned(NamedTuple):
    """Something that a prompt had to go without (seed 001's record)."""

    module_name: str
    warning_type: str
    message: str
    stage: int | None = None

    def trace(self) -> WarningTrace:
        """Return it as JSON has it."""
        module_name, warning_type, message, stage = self
        return {"module_name": module_name, "warning_type": warning_type, "message": message, "stage": stage}


def why_less(warnings: Iterable[Mapping[str, Any]], kinds: Collection[str] = MISSED) -> str | None:
    """Return why a reply may be less than it could be, of a turn's warnings as they are recorded."""
    return "; ".join(each["message"] for each in warnings if each["warning_type"] in kinds) or None


def not_searched(name: str, stage: int, to: list[Warned]) -> Callable[[str], None]:
    """Return what takes the reason why a module's pattern gave no answer, and adds it to the warnings."""
    return lambda why: to.append(Warned(name, NOT_SEARCHED, f"@{name}: {why}", stage))


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
    return _VARIABLE.search(content or "") is not None


class _Filling:
    """One stage's resolution: every module's text is made once."""

    def __init__(self, pieces: Mapping[str, Piece], later: frozenset[str]) -> None:
        self.texts: dict[str, str] = {}
        self.warnings: list[Warned] = []
        self._pieces = pieces
        self._later = later
        self._left = LARGEST_TEXT

    def fill(self, text: str, variables: Mapping[str, Any], path: tuple[str, ...]) -> str:
        values = _Texts(variables)
        return _PLACE.sub(lambda found: self._charged(found, values, path), text)

    def _charged(self, found: re.Match[str], values: "_Texts", path: tuple[str, ...]) -> str:
        if self._left < 0:
            return ""
        text = self._one(found, values, path)
        self._left -= len(text)
        if self._left >= 0:
            return text
        last = path[-1] if path else ""
        self.warnings.append(Warned(last, "too_large", f"modules may add {LARGEST_TEXT} characters to a prompt"))
        return ""

    def _one(self, found: re.Match[str], values: "_Texts", path: tuple[str, ...]) -> str:
        if found["escaped"]:
            return "@"
        if found["module"]:
            return self._module(found["module"], path)
        return values.get(found[3], found[0])

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


class _Texts:
    """The texts of a module's variables, each made once however often the content names it."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._made: dict[str, str] = {}

    def get(self, name: str, missing: str) -> str:
        if name not in self._variables:
            return missing
        if name not in self._made:
            self._made[name] = as_text(self._variables[name])
        return self._made[name]


def as_text(value: Any) -> str:
    """Write a variable into a text: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
