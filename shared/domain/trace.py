"""What is kept of how a reply, a template or a module's run came about: the shapes of the `trace` columns. Pure."""

from typing import Any

from typing_extensions import TypedDict


class WarningTrace(TypedDict):
    """Something that a text had to go without (seed 001's record)."""

    module_name: str
    warning_type: str
    message: str
    stage: int | None


class ModuleTrace(TypedDict, total=False):
    """How one run of a module went; of one that ended without a result only what it was and why.

    `status` is ok, rejected, limit, timeout, memory, crash or error, or that of its row where this has no result.
    """

    module: str | None
    module_id: str
    stage: int | None
    code: str  # a hash of its script and content
    status: str
    message: str | None  # what the script failed with, the last line in words
    variables: dict[str, Any]
    printed: str
    log: list[str]
    seconds: float
    ai_seconds: float  # of these, how many the model took
    ai_calls: int
    warnings: list[WarningTrace]  # of a run that has a row of its own; else they are with its turn's


class StageTrace(TypedDict):
    """How stage 1 or 2 went: the template with what is known by its end, and the modules that ran."""

    stage: int
    name: str
    text: str
    resolved_modules: list[str]
    modules: list[ModuleTrace]
    seconds: float


class RunTrace(ModuleTrace, total=False):
    """What a row of `module_executions` keeps: a module's run, or the stages and warnings of a template."""

    stages: list[StageTrace]


class ToldMessage(TypedDict):
    """A message as the model was told it."""

    role: str
    content: str


class ToldPassage(TypedDict):
    """A passage that the model was told, without its words."""

    chunk_id: str
    label: str
    score: float


class Trace(TypedDict, total=False):
    """How a reply came about; `executions` grows as the modules that run after it end."""

    stages: list[StageTrace]
    messages: list[ToldMessage]
    passages: list[ToldPassage]
    prompt_tokens: int
    dropped: dict[str, int]  # how many passages and messages, and characters of template and question, did not fit
    model: str
    finish_reason: str | None  # None: it was cancelled
    seconds: dict[str, float]  # prepare, first_token, generate, total, ai, other
    warnings: list[WarningTrace]
    executions: list[ModuleTrace]
