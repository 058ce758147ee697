"""What scripts change, and what they run: through the same door as in a turn."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.db import Session
from shared.domain.stages import ModuleType
from shared.models import Conversation, ConversationMemory, Message, Module
from shared.providers.chat.chat import Reply
from shared.providers.chat.wire import ChatControls, ChatMessage, End
from shared.queries.dialogue import conversations, memory
from shared.queries.scope import Scope
from shared.scripting.context import Surroundings
from shared.scripting.modules import Execution, execute

MINE = Scope("scripted")
MESSAGES = 40


def agree(messages: Sequence[ChatMessage], controls: ChatControls) -> Reply:
    """Be a model that has one word."""
    return Reply("yes", "", End("stop", 1, 1))


@pytest.fixture
def conversation(session: Session) -> Conversation:
    """Forty messages, of which one window was remembered."""
    conversation = conversations.add(session, MINE)
    said = [Message(conversation_id=conversation.id, role="user", content=f"said {n}") for n in range(MESSAGES)]
    session.add_all(said)
    session.flush()
    ConversationMemory.store_memory(session, conversation.id, "the first", "25-35", 35, said[24].id)
    return conversation


@pytest.fixture
def run(session: Session, conversation: Conversation) -> Callable[..., Execution]:
    """Run a script in the conversation, which may ask a model where `asks`."""

    def execute_(script: str, *, asks: bool = False, system: str = "") -> Execution:
        surroundings = Surroundings(MINE, conversation.id, system=system, ask=agree if asks else None)
        return execute(advanced("outer", script), 5 if asks else 4, surroundings, {})

    return execute_


@pytest.fixture
def result(run: Callable[..., Execution]) -> Callable[..., Any]:
    """Return what an expression comes to."""
    return lambda expression: run(f"result = {expression}").variables["result"]


def advanced(name: str, script: str) -> Module:
    return Module(**{"owner_id": MINE.owner_id, "name": name, "type": ModuleType.ADVANCED, "script": script})


@pytest.fixture
def module(session: Session) -> Callable[..., None]:
    def add(name: str, script: str = "", **values: Any) -> None:
        row = advanced(name, script)
        for column, value in values.items():
            setattr(row, column, value)
        session.add(row)
        session.flush()

    return add


@pytest.mark.capability("C74")
def test_the_buffer_is_the_messages_between_two_places_both_included(result: Callable[..., Any]) -> None:
    assert [message["content"] for message in result("ctx.get_buffer_messages()")] == [
        f"said {n}" for n in range(25, 36)
    ]
    assert result("ctx.get_buffer_messages(5, 4)") == []


@pytest.mark.capability("C75")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("ctx.should_compress_buffer()", True, id="40 messages are enough for a buffer of 11"),
        pytest.param("ctx.should_compress_buffer(36)", False, id="and not for one of 36"),
        pytest.param("ctx.should_compress_buffer(11, 41)", False, id="nor where 41 are asked for"),
        pytest.param("ctx.should_compress_buffer_by_ids(['x'])", True, id="no memory begins with this one"),
        pytest.param(
            "ctx.should_compress_buffer_by_ids([ctx.get_buffer_messages(24, 24)[0]['id']])", False, id="one does"
        ),
        pytest.param("ctx.should_compress_buffer(conversation_id='no id')", False, id="there is no such conversation"),
    ],
)
def test_whether_to_compress(result: Callable[..., Any], expression: str, expected: bool) -> None:
    assert result(expression) is expected


@pytest.mark.capability("C75")
def test_a_script_sees_what_it_stored_and_cleared_before_it_is_written(run: Callable[..., Execution]) -> None:
    done = run(
        "stored = ctx.store_memory('the second', '36-46', 46, 'm36')\n"
        "both = [m['memory_sequence'] for m in ctx.get_recent_memories()]\n"
        "begins = ctx.should_compress_buffer_by_ids(['m36'])\n"
        "told = ctx.get_memory_text()\n"
        "cleared = ctx.clear_memories()\n"
        "left = ctx.get_memory_status()['total_memories']"
    )
    found = done.variables
    assert (found["stored"]["memory_sequence"], found["stored"]["total_messages"]) == (2, 46)
    assert (found["both"], found["begins"]) == ([2, 1], False)
    assert found["told"] == "[messages 25-35] the first\n[messages 36-46] the second"
    assert (found["cleared"], found["left"]) == ({"success": True, "deleted_count": 2}, 0)


@pytest.mark.capability("C75")
def test_changes_are_written_together_with_what_was_cleared_first(
    session: Session, run: Callable[..., Execution], conversation: Conversation
) -> None:
    done = run("ctx.clear_memories()\nctx.store_memory('all there is', '1-40')")
    memory.change(session, conversation.id, done.changes)
    rows = ConversationMemory.get_for_conversation(session, conversation.id).all()
    assert [(row.memory_sequence, row.compressed_content) for row in rows] == [(1, "all there is")]


@pytest.mark.capability("C75")
@pytest.mark.parametrize(
    "call",
    [
        "store_memory('  ')",
        "store_memory('x', 'a range of more than twenty characters')",
        "store_memory('x', total_messages=0)",
        "store_memory('x', conversation_id='00000000-0000-4000-8000-000000000000')",
        "clear_memories('00000000-0000-4000-8000-000000000000')",
    ],
)
def test_what_cannot_be_stored_is_told_and_changes_nothing(run: Callable[..., Execution], call: str) -> None:
    done = run(f"result = ctx.{call}")
    assert set(done.variables["result"]) == {"error"}
    assert done.changes == replace(done.changes, cleared=False, added=())


def test_a_script_that_fails_has_changed_nothing(run: Callable[..., Execution]) -> None:
    assert run("ctx.store_memory('x')\n1 / 0").changes.added == ()


@pytest.mark.capability("C68")
def test_a_script_runs_another_module_with_what_it_gives_it(
    run: Callable[..., Execution], module: Callable[..., None]
) -> None:
    module("greeting", "name = ctx.get_variable('who', 'you')\nctx.log('greeted')", content="Hello ${name}!")
    done = run("result = ctx.run_module('greeting', who='Ada')")
    assert done.variables["result"] == {
        "success": True,
        "output": "Hello Ada!",
        "variables": {"who": "Ada", "name": "Ada"},
        "error": None,
    }
    assert done.context.logged == ["greeted"]


def test_a_module_that_fails_inside_another_is_a_warning_and_leaves_nothing(
    run: Callable[..., Execution], module: Callable[..., None]
) -> None:
    module("broken", "ctx.store_memory('inner')\n1 / 0")
    done = run("ctx.store_memory('outer')\nresult = ctx.run_module('broken')")
    assert done.succeeded
    assert done.variables["result"]["error"] == "error: ZeroDivisionError: division by zero"
    assert [memory.text for memory in done.changes.added] == ["outer"]
    assert [warning.module_name for warning in done.warnings()] == ["broken"]


def test_what_a_module_stores_inside_another_is_stored(
    run: Callable[..., Execution], module: Callable[..., None]
) -> None:
    module("keeper", "ctx.store_memory('inner')")
    done = run("ctx.store_memory('outer')\nctx.run_module('keeper')")
    assert [memory.text for memory in done.changes.added] == ["outer", "inner"]


def test_modules_do_not_run_in_circles(run: Callable[..., Execution], module: Callable[..., None]) -> None:
    module("a", "result = ctx.run_module('b')['variables']['result']")
    module("b", "result = ctx.run_module('a')['error']")
    done = run("result = ctx.run_module('a')['output']")
    assert done.variables["result"] == "@a runs already: it cannot run inside itself"
    assert [warning.warning_type for warning in done.warnings()] == ["circular_dependency"]


def test_modules_run_three_deep_at_most(run: Callable[..., Execution], module: Callable[..., None]) -> None:
    for number in range(1, 5):
        module(f"level{number}", f"result = 1 + (ctx.run_module('level{number + 1}')['variables'].get('result') or 0)")
    done = run("result = ctx.run_module('level1')['variables']['result']")
    assert done.variables["result"] == 3
    assert [warning.warning_type for warning in done.warnings()] == ["nested_too_deep"]


@pytest.mark.parametrize("state", [{"is_active": False}, {"owner_id": "another"}])
def test_what_is_inactive_or_anothers_cannot_be_run(
    run: Callable[..., Execution], module: Callable[..., None], state: dict[str, Any]
) -> None:
    module("hidden", "result = 1", **state)
    done = run("result = ctx.run_module('hidden')['success']")
    assert done.variables["result"] is False
    assert [warning.warning_type for warning in done.warnings()] == ["module_not_found"]


@pytest.mark.capability("C76")
def test_modules_inside_each_other_share_their_calls_of_the_model(
    run: Callable[..., Execution], module: Callable[..., None]
) -> None:
    module("asker", "answers = [ctx.generate('Well?') for n in range(3)]")
    done = run("first = ctx.run_module('asker')\nsecond = ctx.run_module('asker')", asks=True)
    assert done.variables["first"]["success"]
    assert "ctx.generate may be called 5 times" in done.variables["second"]["error"]
    assert done.trace()["ai_calls"] == 5


def test_a_module_asks_no_model_where_its_caller_may_not(
    run: Callable[..., Execution], module: Callable[..., None]
) -> None:
    module("asker", "answer = ctx.generate('Well?')")
    done = run("result = ctx.run_module('asker')['variables']['answer']")
    assert done.variables["result"].startswith("Error: ")
    assert [warning.warning_type for warning in done.warnings()] == ["ai_generation_error"]


@pytest.mark.capability("C48")
def test_who_runs_other_modules_runs_where_they_may_ask_the_model() -> None:
    module = advanced("outer", "ctx.run_module('asker')")
    module.analyze_script()
    assert (module.requires_ai_inference, module.script_analysis_metadata["uses_generate"]) == (True, False)


@pytest.mark.capability("C51")
def test_a_script_can_ask_which_functions_there_are(result: Callable[..., Any]) -> None:
    assert result("[ctx.has_function(n) for n in ('run_module', 'open', 7)]") == [True, False, False]
    assert "store_memory" in result("ctx.get_available_functions()")


@pytest.mark.capability("C76")
def test_reflections_can_be_looked_back_at(run: Callable[..., Execution], module: Callable[..., None]) -> None:
    module("thinker", "ctx.reflect('How so?')")
    script = "ctx.reflect('And why?', role='system')\nctx.run_module('thinker')\n"
    done = run(f"{script}trail = ctx.get_reflection_audit_trail()\nmay = ctx.can_reflect()", asks=True, system="Ada")
    told = [(entry["module_name"], entry["depth"], entry["role"]) for entry in done.variables["trail"]]
    assert told == [("outer", 0, "system"), ("thinker", 1, "assistant")]
    assert done.variables["may"] is True
    assert run("may = ctx.can_reflect()").variables["may"] is False


@pytest.mark.capability("C76")
def test_a_reflection_inside_too_many_modules_is_blocked(
    run: Callable[..., Execution], module: Callable[..., None]
) -> None:
    module("third", "may = ctx.can_reflect()\nthought = ctx.reflect('How so?')")
    module("second", "inner = ctx.run_module('third')['variables']\nthought = ctx.reflect('How so?')")
    module("first", "inner = ctx.run_module('second')['variables']")
    done = run("inner = ctx.run_module('first')['variables']['inner']", asks=True, system="Ada")
    assert done.variables["inner"]["inner"]["thought"].startswith("Reflection blocked for safety")
    assert done.variables["inner"]["inner"]["may"] is False
    assert not done.variables["inner"]["thought"].startswith("Reflection blocked")
    assert [warning.warning_type for warning in done.warnings()] == ["reflection_blocked"]


@pytest.mark.capability("C70")
@pytest.mark.parametrize(
    "call",
    [
        "count_words(5)",
        "get_persona_info(5)",
        "get_buffer_messages('a')",
        "store_memory('x', total_messages='many')",
        "should_compress_buffer_by_ids(5)",
        "reflect(5)",
        "run_module()",
    ],
)
def test_an_argument_of_the_wrong_type_is_the_scripts_own_error(run: Callable[..., Execution], call: str) -> None:
    done = run(f"ctx.{call}", asks=True, system="Ada")
    assert done.run.status == "error"
    assert done.reason == f"error: RuntimeError: ctx.{call.partition('(')[0]}: bad arguments"


@pytest.mark.parametrize("call", ["get_buffer_messages(2**80, 2**90)", "get_message_range(-5, -9)"])
def test_places_beyond_the_conversation_hold_nothing(result: Callable[..., Any], call: str) -> None:
    assert result(f"ctx.{call}") in ([], "No messages yet.")
