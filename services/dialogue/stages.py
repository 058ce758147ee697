"""Stages 1 and 2 of a turn: the persona's template becomes the text that the model is told."""

from services.dialogue.events import Events
from services.dialogue.tools import ReplyTools, chat_for
from services.leases import Held
from shared.domain.template import Warned
from shared.queries.dialogue import executions
from shared.queries.dialogue.turns import TurnContext
from shared.queries.scope import Scope
from shared.scripting.asking import SideCall
from shared.scripting.context import Surroundings
from shared.scripting.preparation import FIRST, Preparation, Prepared


def prepare(turn: TurnContext, tools: ReplyTools, held: Held, events: Events) -> Prepared:
    """Run the turn's modules of stages 1 and 2, and put what they came to in their places."""
    prepared = Preparation(
        turn.persona.template,
        turn.modules,
        turn.states,
        _surroundings(turn, tools),
        ask=SideCall(chat_for(turn), held.closes),
        begin=lambda stage: events.stage(stage, "preparing"),
        check=held.check,
    ).prepare()
    prepared.warnings[:0] = _staleness(turn)
    return prepared


def _surroundings(turn: TurnContext, tools: ReplyTools) -> Surroundings:
    settings = tools.settings
    return Surroundings(
        scope=Scope(turn.owner_id),
        conversation_id=turn.conversation_id,
        persona_id=turn.persona.id,
        last_user_message=turn.question,
        until=turn.position,
        remembered=executions.remembered(turn.states),
        budget=settings.chat_context_tokens,
        longest_reply=settings.chat_max_tokens,
        seed=turn.options.get("seed"),
    )


def _staleness(turn: TurnContext) -> list[Warned]:
    if not turn.state_is_stale:
        return []
    return [Warned("", "state_stale", "modules of an earlier turn have not finished: their state is older", FIRST)]
