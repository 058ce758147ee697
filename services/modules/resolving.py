"""A template that somebody asked for: stages 1 and 2 of a turn, without the turn."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services import leases
from services.modules.assignment import side_call, within_budget
from services.modules.on_demand import surroundings
from shared.models import Module, ModuleExecution
from shared.queries import on_demand
from shared.queries.dialogue import executions
from shared.queries.personas import modules
from shared.queries.scope import Scope
from shared.scripting.context import Surroundings
from shared.scripting.preparation import Preparation, Prepared


@dataclass(frozen=True)
class Template:
    """A template, the modules that it leads to, and what these find."""

    text: str
    modules: dict[str, Module]
    states: dict[UUID, dict[str, Any]]
    surroundings: Surroundings
    provider_type: str | None


def load(session: Session, row: ModuleExecution) -> Template:
    """Read the template, given or the persona's, with its modules and their state in the conversation."""
    found = on_demand.situation(session, row)
    persona_template = found.persona.template if found.persona else ""
    text = row.input.get("template", persona_template)
    remembered = executions.remembered(found.states)
    seen = replace(surroundings(row, found), ai_response=None, remembered=remembered)
    known = modules.referred_to(session, Scope(row.owner_id), text)
    return Template(text, known, found.states, seen, found.provider_type)


def work(template: Template) -> Prepared:
    """Run the modules of stages 1 and 2, and put what they came to in their places."""
    held = leases.current()
    assert held is not None
    return Preparation(
        template.text,
        template.modules,
        template.states,
        within_budget(template.surroundings),
        ask=side_call(template.provider_type),
        check=held.check,
    ).prepare()


def save(session: Session, row: ModuleExecution, prepared: Prepared) -> None:
    """Keep the text and how it came about; what its modules would have stored is not."""
    warnings = [warning.trace() for warning in prepared.warnings]
    on_demand.save(row, {}, prepared.text, {"warnings": warnings, "stages": prepared.stages})
