"""Modules: the pieces of a prompt, as text or as scripts (seed 001)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    Index,
    String,
    UniqueConstraint,
    event,
    inspect,
    select,
)
from sqlalchemy.orm import Mapped, Mapper, Session, mapped_column

from shared.domain import language
from shared.domain.analysis import ScriptAnalysis, ScriptGap, analyze
from shared.domain.stages import STAGE_NAMES, STAGE_OF, ExecutionContext, ModuleType, stage_priority
from shared.domain.template import MODULE_NAME, references
from shared.models.base import DEFAULT_OWNER, Audited, Base, Identified, Owned, Timestamped, enum_by_value, json_object
from shared.models.personas import Persona


class Module(Audited, Identified, Timestamped, Owned, Base):
    """A named piece of prompt that a template refers to as `@name`."""

    __tablename__ = "modules"
    __table_args__ = (
        UniqueConstraint("owner_id", "name"),
        CheckConstraint(f"name ~ '^{MODULE_NAME}$'", name="name_can_be_referred_to"),
        Index("ix_modules_stage", "execution_context", "requires_ai_inference", "is_active"),
    )

    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    content: Mapped[str | None]
    type: Mapped[ModuleType] = mapped_column(
        enum_by_value(ModuleType), default=ModuleType.SIMPLE, server_default=ModuleType.SIMPLE.value
    )
    trigger_pattern: Mapped[str | None] = mapped_column(String(500))
    script: Mapped[str | None]
    execution_context: Mapped[ExecutionContext] = mapped_column(
        enum_by_value(ExecutionContext),
        default=ExecutionContext.ON_DEMAND,
        server_default=ExecutionContext.ON_DEMAND.value,
    )
    requires_ai_inference: Mapped[bool] = mapped_column(default=False, server_default="false")
    script_analysis_metadata: Mapped[ScriptAnalysis] = json_object()
    is_active: Mapped[bool] = mapped_column(default=True, server_default="true")

    def analyze_script(self) -> ScriptAnalysis:
        """Analyse the script, note whether it needs AI, and return the analysis (seed 001's keys)."""
        gaps = [ScriptGap(line=gap.line, message=gap.message) for gap in language.gaps(self.script)]
        analysis = analyze(self.script) | {"language_gaps": gaps, "analyzed_at": datetime.now(UTC).isoformat()}
        self.script_analysis_metadata = analysis
        self.requires_ai_inference = analysis["requires_ai_inference"]
        return analysis

    def refresh_ai_analysis(self, db_session: Session) -> ScriptAnalysis:
        """Analyse again and write the result; the caller commits."""
        analysis = self.analyze_script()
        db_session.flush()
        return analysis

    @property
    def is_immediate_context(self) -> bool:
        """Whether it runs before the reply."""
        return self.execution_context == ExecutionContext.IMMEDIATE

    @property
    def is_post_response_context(self) -> bool:
        """Whether it runs after the reply."""
        return self.execution_context == ExecutionContext.POST_RESPONSE

    @property
    def is_on_demand_context(self) -> bool:
        """Whether it runs only when something asks for it."""
        return self.execution_context == ExecutionContext.ON_DEMAND

    @property
    def execution_stage_priority(self) -> int:
        """The stage, 1, 2, 4 or 5, or 999 for on demand."""
        return stage_priority(self.execution_context, uses_ai=self.requires_ai_inference)

    def get_stage_name(self) -> str:
        """Return the stage in words."""
        return STAGE_NAMES[self.execution_stage_priority]

    @classmethod
    def get_modules_for_stage(cls, db: Session, stage_number: int, persona_id: UUID | None = None) -> list[Module]:
        """Return a stage's active modules by name; with a persona, only those its template refers to.

        Stage 1 also has every simple module, and those whose last result it fills in (POST_RESPONSE).
        """
        statement = select(cls).where(cls.is_active, _in_stage(stage_number)).order_by(cls.name, cls.id)
        if persona_id is None:
            return list(db.scalars(statement.where(cls.owner_id == DEFAULT_OWNER)))
        persona = db.get(Persona, persona_id)
        if persona is None:
            return []
        referred_to = cls.name.in_(references(persona.template))
        return list(db.scalars(statement.where(cls.owner_id == persona.owner_id, referred_to)))


def _in_stage(stage: int) -> ColumnElement[bool]:
    needs = {number: context_and_ai for context_and_ai, number in STAGE_OF.items()}
    context, uses_ai = needs.get(stage, (None, False))
    its_own = (Module.execution_context == context) & (Module.requires_ai_inference == uses_ai)
    if stage != 1:
        return its_own
    earlier_result = Module.execution_context == ExecutionContext.POST_RESPONSE
    return (Module.type == ModuleType.SIMPLE) | its_own | earlier_result


@event.listens_for(Module, "before_insert")
@event.listens_for(Module, "before_update")
def _analyze_a_changed_script(mapper: Mapper[Module], connection: Connection, module: Module) -> None:
    if module.script is not None and inspect(module).attrs.script.history.has_changes():
        module.analyze_script()
