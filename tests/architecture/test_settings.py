"""Every setting does something, and is told to operators as it is."""

import ast
import re
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from shared.settings import Settings
from tests.architecture.sources import PRODUCT, ROOT, sources

LINE = re.compile(r"^(#?)PERSONAE_(\w+)=(\S*)", re.MULTILINE)


class Told(NamedTuple):
    """A line of deploy/env.example; one that is commented out may show an example where there is no default."""

    is_comment: bool
    value: str

    def is_true(self, setting: str) -> bool:
        field = Settings.model_fields[setting]
        if self.is_comment and not field.default:
            return True
        value: Any = TypeAdapter(field.annotation).validate_python(self.value)
        return bool(value == field.default)


TOLD = {
    name.lower(): Told(bool(comment), value)
    for comment, name, value in LINE.findall((ROOT / "deploy" / "env.example").read_text())
}


def test_every_setting_is_read_somewhere() -> None:
    nodes = (node for source in sources(*PRODUCT) for node in source.find(ast.Attribute))
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    assert set(Settings.model_fields) - read == set()


def test_the_example_lists_every_setting_and_no_other() -> None:
    assert set(TOLD) == set(Settings.model_fields)


def test_the_example_tells_the_true_defaults() -> None:
    assert {name for name, told in TOLD.items() if not told.is_true(name)} == set()
