"""One run of a script: every step it asks of us is answered here, and nothing else is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic_monty import (
    ClassInstance,
    CollectString,
    FunctionSnapshot,
    MontyComplete,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    NameLookupSnapshot,
    OSPolicy,
)

from shared.domain import outputs
from shared.domain.rewriting import rewrite
from shared.domain.text import make_storable
from shared.errors import Unavailable
from shared.scripting import sandbox
from shared.scripting.prelude import prelude
from shared.scripting.spending import MOST_CALLS, Spending
from shared.scripting.values import Allowance, ScriptError, TooLarge, clean

LONGEST_SOURCE = 64 * 1024
LONGEST_PRINT = 64 * 1024
LONGEST_MESSAGE = 4000
MOST_DIGITS = 4300  # the sandbox's own limit
Status = Literal["ok", "rejected", "limit", "timeout", "memory", "crash", "error"]
Kept = tuple[Mapping[str, Any], Mapping[str, str]]  # variables, and why others are not kept
NOTHING: Kept = ({}, {})
Snapshot = Any  # the sandbox's union of snapshots, told apart by isinstance


@dataclass
class Host:
    """What a script finds outside itself: functions and attributes of `ctx`, names, a clock and chance.

    A run inside another has its `depth`, and the same `spending`.
    """

    methods: Mapping[str, Callable[..., Any]]
    attribute: Callable[[str], Any] = lambda name: _missing(name)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    now: datetime | None = None
    seed: int | None = None
    depth: int = 0
    spending: Spending = field(default_factory=Spending)


class Run(NamedTuple):
    """How a run ended, its top-level variables, what it printed, its seconds in all, and what is not kept of it."""

    status: Status
    message: str = ""
    variables: Mapping[str, Any] = MappingProxyType({})
    printed: str = ""
    seconds: float = 0.0
    lost: Mapping[str, str] = MappingProxyType({})  # variables that are too large to be kept, and why


class _Handle:
    """An empty value: a script may hand it back, and finds nothing in it."""

    __slots__ = ()


class _Stopped(Exception):
    """The run is over, with this status and message; leaving the session kills what still runs."""


def _missing(name: str) -> Any:
    raise ScriptError(f"ctx has no attribute {name!r}")


def run(source: str, host: Host) -> Run:
    """Run a script to its end; it never raises what the script did, but what our own functions raised."""
    if len(source) > LONGEST_SOURCE:
        return Run("rejected", f"a script may have {LONGEST_SOURCE} characters")
    started = time.monotonic()
    printed = CollectString(max_bytes=LONGEST_PRINT)
    status, message, (variables, lost) = _guarded(source, host, printed)
    seconds = round(time.monotonic() - started, 4)
    said, printed_text = make_storable(message[-LONGEST_MESSAGE:]), make_storable(printed.output)
    return Run(status, said, variables, printed_text, seconds, lost)


def _guarded(source: str, host: Host, printed: CollectString) -> tuple[Status, str, Kept]:
    try:
        with sandbox.checkout(_policy(host), host.depth) as session:
            return "ok", "", _Dialogue(session, host, printed).run(source)
    except _Stopped as stop:
        return "limit", str(stop), NOTHING
    except MontyError as error:
        return (*_told(error), NOTHING)
    except TimeoutError as error:
        raise Unavailable("no process of the sandbox became free") from error
    except RuntimeError as error:
        if "suspension" not in str(error):  # the pool's own limit on questions to the host
            raise
        return "limit", "too many calls", NOTHING


def _told(error: MontyError) -> tuple[Status, str]:
    match error:
        case MontyCrashedError():
            return ("timeout", sandbox.TOO_LONG) if error.timed_out else ("crash", sandbox.LOST)
        case MontySyntaxError():
            return "rejected", error.display("traceback")
        case MontyRuntimeError():
            raised = error.exception()
            return _kind_of(raised), "\n".join([error.display("traceback"), *_limit_of(raised)])
        case _:
            return "error", str(error)


def _kind_of(raised: BaseException) -> Status:
    if isinstance(raised, NotImplementedError):
        return "rejected"
    if isinstance(raised, TimeoutError):
        return "timeout"
    return "memory" if isinstance(raised, MemoryError) else "error"


def _limit_of(raised: BaseException) -> list[str]:
    """Say which limit a script passed, where the sandbox's own words do not."""
    if isinstance(raised, ValueError) and "integer string conversion" in str(raised):
        return [f"ValueError: a script may write and read numbers of {MOST_DIGITS} digits"]
    if not isinstance(raised, MemoryError):
        return []
    if str(LONGEST_PRINT) in str(raised):
        return [f"MemoryError: a script may print {LONGEST_PRINT:,} bytes"]
    return [f"MemoryError: a script may hold {sandbox.MEBIBYTES} MiB"]


def _policy(host: Host) -> OSPolicy:
    policy = OSPolicy(sleep="zero", timezone="utc")
    if host.now is not None:
        policy["datetime"] = host.now
    if host.seed is not None:
        policy["random_start"] = {"seed": host.seed}
    return policy


class _Dialogue:
    """The questions of one run, and our answers."""

    def __init__(self, session: MontySession, host: Host, printed: CollectString) -> None:
        self._session = session
        self._host = host
        self._printed = printed
        self._calls = host.spending.calls
        self._handle = ClassInstance(_Handle(), allowed_methods=frozenset(host.methods))

    def run(self, source: str) -> Kept:
        if ready := prelude(source, self._host.methods):
            self._feed(ready, {})
        self._feed(rewrite(source), {**self._host.inputs, "ctx": self._handle})
        found = self._feed(_collecting(outputs.candidates(source)), {})
        return _cleaned(found)

    def _feed(self, source: str, inputs: dict[str, Any]) -> Any:
        asked: Snapshot = self._session.feed_start(source, inputs=inputs, print_callback=self._printed)
        while not isinstance(asked, MontyComplete):
            asked = self._answer(asked)
        return asked.output

    def _answer(self, asked: Snapshot) -> Snapshot:
        if reached := self._host.spending.exhausted():
            raise _Stopped(reached)
        match asked:
            case NameLookupSnapshot():
                return self._look_up(asked)
            case FunctionSnapshot(is_os_function=True):
                return asked.resume_not_handled()
            case FunctionSnapshot() if asked.object_id == self._handle.id:
                return asked.resume(self._call(str(asked.function_name), asked.args, asked.kwargs))
            case FunctionSnapshot():
                return asked.resume(_raising("NameError", f"name {asked.function_name!r} is not defined"))
            case _:
                raise _Stopped("a script cannot await anything")

    def _look_up(self, asked: NameLookupSnapshot) -> Snapshot:
        self._calls[asked.variable_name] += 1
        if asked.object_id != self._handle.id:
            return asked.resume()
        try:
            return asked.resume(value=clean(self._host.attribute(asked.variable_name)))
        except ScriptError:
            return asked.resume()

    def _call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call one of our functions; what is not a ScriptError is ours, and ends the run."""
        self._calls[name] += 1
        try:
            function = self._allowed(name)
            allowance = Allowance()
            given = clean(arguments, allowance)
            return {"return_value": clean(_bound(function, name, given, clean(named, allowance)))}
        except ScriptError as error:
            return _raising("RuntimeError", str(error))

    def _allowed(self, name: str) -> Callable[..., Any]:
        function = self._host.methods.get(name)
        if function is None:
            raise ScriptError(f"ctx has no function {name!r}")
        if self._calls[name] > self._host.quotas.get(name, MOST_CALLS):
            raise ScriptError(f"ctx.{name} may be called {self._host.quotas[name]} times in a run")
        return function


def _bound(function: Callable[..., Any], name: str, given: list[Any], named: dict[str, Any]) -> Any:
    try:
        return function(*given, **named)
    except (TypeError, ValueError, AttributeError, OverflowError, ArithmeticError):
        raise ScriptError(f"ctx.{name}: bad arguments") from None


def _raising(kind: Literal["RuntimeError", "NameError"], message: str) -> Any:
    return {"exc_type": kind, "message": message}


def _collecting(names: list[str]) -> str:
    """Write the script that gathers the variables of a finished run; functions, classes and modules stay."""
    parts = [f"try:\n    _found['{name}'] = ({name}, type({name}).__name__)\nexcept NameError: pass" for name in names]
    return "\n".join(["_found = {}", *parts, "_found"])


def _cleaned(found: dict[str, tuple[Any, str]]) -> Kept:
    """Keep what can be stored, as JSON has it, within one allowance, and say why not what passes a limit."""
    allowance = Allowance()
    kept: dict[str, Any] = {}
    lost: dict[str, str] = {}
    for name, (value, kind) in found.items():
        try:
            if kind not in ("function", "type", "module", "builtin_function_or_method"):
                kept[name] = clean(_written(value), allowance)
        except TooLarge as error:
            lost[name] = str(error)
        except ScriptError:
            continue
    return kept, lost


def _written(value: Any) -> Any:
    return str(value) if type(value).__module__ in ("datetime", "decimal") else value
