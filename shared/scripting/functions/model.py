"""Side calls to the model; a script that makes one runs in an AI stage (2 or 5)."""

import time
from typing import Any

from shared.domain import prompt
from shared.domain.template import LEFT_OUT
from shared.errors import Rejected, Transient
from shared.providers.chat.chat import shortfalls
from shared.providers.chat.wire import ChatControls, ChatMessage
from shared.scripting.context import Context

QUOTAS = {"generate": 5, "reflect": 5}  # calls in one run
CONTROLS = ("temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "seed", "stop", "json_mode")
ROLES = ("user", "assistant", "system")
LOWEST_PROMPT = 200  # tokens
DEEPEST_REFLECTION = 3  # modules inside each other, the outermost and the one that reflects among them
BLOCKED = f"Reflection blocked for safety: no more than {DEEPEST_REFLECTION} modules inside each other may reflect"
MOST_NOTED = 10  # reflections
LONGEST_NOTED = 200  # characters of their instructions


def generate(context: Context, *words: str, **controls: Any) -> str:
    """Ask the model: (instructions), (instructions, input), or either after (provider, model).

    A reply has at most `max_tokens`, 1000 unless given, and never more than PERSONAE_CHAT_MAX_TOKENS.
    """
    instructions, about, named = _asked(words, controls)
    return _ask(context, "user", _request(instructions, about), {"temperature": 0.1, "max_tokens": 1000} | named)


def reflect(context: Context, *words: str, role: str = "assistant", **controls: Any) -> str:
    """Let the persona think: as `generate`, the thought being its own, the user's or the system's."""
    if role not in ROLES:
        raise ValueError(role)
    instructions, about, named = _asked(words, controls)
    _note_reflection(context, role, instructions)
    if _is_too_deep(context):
        context.warn("reflection_blocked", BLOCKED)
        return BLOCKED
    if not context.surroundings.system:
        return "Error: there is no persona that could reflect"
    return _ask(context, role, _request(instructions, about), {"temperature": 0.3, "max_tokens": 200} | named)


def can_reflect(context: Context, module_id: str | None = None, timing: str | None = None) -> bool:
    """Say whether `reflect` would be answered here: a stage that may ask, a persona to think, and not too deep."""
    return context.surroundings.ask is not None and bool(context.surroundings.system) and not _is_too_deep(context)


def _is_too_deep(context: Context) -> bool:
    """Say whether this module runs inside so many that it may not reflect (seed 001)."""
    return len(context.path) > DEEPEST_REFLECTION


def get_reflection_audit_trail(context: Context) -> list[dict[str, Any]]:
    """Return the last reflections of this run and of the modules that it ran, oldest first."""
    return context.reflections


def _note_reflection(context: Context, role: str, instructions: str) -> None:
    context.reflections.append(
        {
            "module_name": context.module_name,
            "stage": context.stage,
            "depth": len(context.path) - 1,
            "role": role,
            "instructions": instructions[:LONGEST_NOTED],
            "allowed": can_reflect(context),
            "timestamp": context.surroundings.now().isoformat(),
        }
    )
    del context.reflections[:-MOST_NOTED]


def _asked(words: tuple[str, ...], controls: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return instructions, input and controls of any of the four call forms, whose words may be named too."""
    named = dict(controls)
    form = ("provider", "model", "instructions", "input_text") if len(words) > 2 else ("instructions", "input_text")
    given = dict(zip(form, words, strict=False)) if len(words) <= len(form) else {}
    told = {name: given.get(name, named.pop(name, "")) for name in ("instructions", "input_text", "provider", "model")}
    if not told["instructions"]:
        raise ValueError("no instructions")
    named["model"] = told["model"] or None
    return told["instructions"], told["input_text"], named


def _request(instructions: str, about: str) -> str:
    return f"{instructions}\n\nInput:\n{about}" if about else instructions


def _ask(context: Context, role: str, text: str, named: dict[str, Any]) -> str:
    """Return the reply, or in words why there is none for good; raises Transient while another attempt may help."""
    surroundings = context.surroundings
    if surroundings.ask is None:
        return _refused(context, "no model may be asked in this stage")
    longest = min(int(named.pop("max_tokens")), surroundings.longest_reply)
    budget = max(surroundings.budget - longest, LOWEST_PROMPT)
    fitted = prompt.build(surroundings.system, text, budget=budget).messages
    system = [ChatMessage("system", fitted[0].content)] if surroundings.system else []
    known = {name: named[name] for name in (*CONTROLS, "model") if named.get(name) is not None}
    context.asked += 1
    started = time.monotonic()
    try:
        spoken = ChatMessage(role, fitted[-1].content)  # type: ignore[arg-type]
        reply = surroundings.ask([*system, spoken], ChatControls(**known, max_tokens=longest))
    except (Rejected, Transient) as error:
        if isinstance(error, Transient) and not surroundings.is_last_attempt:
            raise
        return _refused(context, str(error))
    finally:
        context.asked_seconds += time.monotonic() - started
    for kind, words in shortfalls(reply.end):
        if kind != LEFT_OUT:  # our own defaults, most of the time
            context.warn(kind, words)
    return reply.text


def _refused(context: Context, why: str) -> str:
    context.warn("ai_generation_error", why)
    return f"Error: {why}"
