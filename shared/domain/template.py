"""The language of prompt templates: `@name` refers to a module. Pure."""

import re

MODULE_NAME = r"[A-Za-z][A-Za-z0-9_]{0,49}"
_REFERENCE = re.compile(rf"(?<!\\)@({MODULE_NAME})(?![A-Za-z0-9_])")


def references(template: str) -> list[str]:
    r"""Return the names a template refers to, each once, in reading order; `\@name` refers to nothing."""
    return list(dict.fromkeys(_REFERENCE.findall(template)))


def unescaped(template: str) -> str:
    r"""Return the text with every `\@` as the `@` that it stands for."""
    return template.replace("\\@", "@")
