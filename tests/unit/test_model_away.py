"""What a script is told of a model that is away: nothing while another attempt may help, and then the reason."""

import pytest

from shared.errors import Unavailable
from shared.providers.chat.chat import Reply
from shared.providers.chat.wire import End
from shared.queries.scope import Scope
from shared.scripting.context import Context, Surroundings
from shared.scripting.functions import model

AWAY = "the chat server failed with 502"


def asking(*, is_last_attempt: bool) -> Context:
    def ask(*_: object) -> str:
        raise Unavailable(AWAY)

    return Context(Surroundings(Scope("default"), ask=ask, is_last_attempt=is_last_attempt), "asker", 5)


@pytest.mark.capability("C76")
def test_the_last_attempt_of_a_script_that_is_tried_is_told_why_there_is_no_reply() -> None:
    context = asking(is_last_attempt=True)
    assert model.generate(context, "Well?") == f"Error: {AWAY}"
    assert [warning.warning_type for warning in context.warnings] == ["ai_generation_error"]


@pytest.mark.parametrize(("reason", "warned"), [("length", ["reply_cut"]), ("stop", [])])
def test_a_reply_to_a_script_that_is_cut_is_a_warning(reason: str, warned: list[str]) -> None:
    context = Context(
        Surroundings(Scope("default"), ask=lambda *_: Reply("Well en", "", End(reason, 1, 1))), "asker", 5
    )
    assert model.generate(context, "Well?") == "Well en"
    assert [warning.warning_type for warning in context.warnings] == warned


@pytest.mark.capability("C76")
def test_an_attempt_before_the_last_is_made_again() -> None:
    with pytest.raises(Unavailable):
        model.generate(asking(is_last_attempt=False), "Well?")
