"""What is wrong with an address that leads nowhere."""

import re

from werkzeug.routing import Map, Rule

from shared.queries.kinds import KINDS

PLACE = re.compile(r"<(?:([^:<>]+):)?([^<>]+)>")
FORMS = {"uuid": "a uuid", "int": "a number"}


def about_address(addresses: Map, path: str) -> str:
    """Say which part of a path is no id of the form that its route takes, else that there is no such route."""
    parts = path.strip("/").split("/")
    for rule in addresses.iter_rules():
        wrong = _wrong_ids(rule, parts)
        if wrong:
            return f"{'; '.join(wrong)}: see /docs"
    return f"there is nothing at {path}: see /docs for the addresses"


def _wrong_ids(rule: Rule, parts: list[str]) -> list[str]:
    """Return what is wrong with the ids of a path that has otherwise a rule's form; nothing where it has not."""
    wanted = rule.rule.strip("/").split("/")
    if len(wanted) != len(parts):
        return []
    wrong = []
    for want, part in zip(wanted, parts, strict=True):
        place = PLACE.fullmatch(want)
        if place is None and want != part:
            return []
        if place is not None and not _fits(rule, place[2], part):
            wrong.append(_about(place[2], part, FORMS[place[1]]))
    return wrong


def _fits(rule: Rule, name: str, part: str) -> bool:
    return re.fullmatch(rule._converters[name].regex, part) is not None


def _about(name: str, part: str, form: str) -> str:
    told = f"{part!r} is not {form}, as {name} is"
    return f"{told} (of work of the kinds {', '.join(KINDS)})" if name == "work_id" else told
