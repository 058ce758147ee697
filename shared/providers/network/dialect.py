"""How a server differs from OpenAI in what it takes, learnt from its refusals, which name it. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

LENGTHS = ("max_tokens", "max_completion_tokens")
# What a request may do without: the reply is one without them, and the turn says which they were.
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "reasoning_effort")
TRANSPORT = ("stream_options", "stream")  # of these nobody needs to hear: what comes is read in either form
OPTION = re.compile(r"\b(?:max_(?:completion_)?tokens|stop|response_format|" + "|".join(SAMPLING) + r")\b")
_REFUSES = re.compile(
    r"n(?:o|')t (?:a valid|be used|support|permit|allow|accept|recogni|available|implement)|unsupported|unknown"
    r"|unrecogni[sz]ed|unexpected|extra_forbidden|no longer|deprecated|incompatible|only the default|instead",
    re.IGNORECASE,
)
SYSTEM = re.compile(
    r"\b(?:system|developer)\W{0,3}(?:roles?|messages?|prompts?|instructions?)\b|roles must alternate"
    r"|\broles?\W{1,3}(?:system|developer)\b|only user(?:,| and) assistant"
    r"|(?:invalid|unsupported|unknown|unexpected) role|input should be 'user'",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_STREAM = re.compile(
    r"\bstream(?:ing)?\b.{0,40}(?:not (?:support|allow|permit|implement|avail|enabled)|unsupported|disabled)"
    r"|(?:unsupported|not support).{0,40}\bstream(?:ing)?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Dialect:
    """What a model's server takes otherwise than OpenAI's, or not at all."""

    length: str | None = None  # the name of a reply's longest length, where it is not the usual one
    without: tuple[str, ...] = ()
    folds_system: bool = False

    def spoken(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request as this server takes it."""
        said = {self._named(name): value for name, value in request.items() if name not in self.without}
        return said | {"messages": folded(said["messages"])} if self.folds_system else said

    def _named(self, name: str) -> str:
        return self.length if self.length and name in LENGTHS else name

    def left_out(self, request: dict[str, Any]) -> tuple[str, ...]:
        """Return the controls of a request that were not sent."""
        return tuple(name for name in self.without if name in request and name in SAMPLING)

    def learned(self, refusal: str, request: dict[str, Any]) -> "Dialect | None":
        """Return what to speak after a refusal of a request of OpenAI's, or None where it names nothing to change."""
        if not self.folds_system and SYSTEM.search(refusal) and _has_system(request["messages"]):
            return replace(self, folds_system=True)
        if not _REFUSES.search(refusal):
            return None
        sent = self.spoken(request)
        if self.length is None and (other := _other_length(refusal, sent)):
            return replace(self, length=other)
        refused = next((name for name in _refused(refusal) if name in sent), None)
        return replace(self, without=(*self.without, refused)) if refused else None


OPENAI = Dialect()


def _other_length(refusal: str, sent: dict[str, Any]) -> str | None:
    """Return the other name for a reply's length where the refusal names the one that was sent."""
    named = set(_WORD.findall(refusal))
    pairs = zip(LENGTHS, reversed(LENGTHS), strict=True)
    return next((other for name, other in pairs if name in sent and name in named), None)


def _refused(refusal: str) -> Iterable[str]:
    """Yield what a refusal names of the things that a request can do without."""
    named = set(_WORD.findall(refusal))
    yield from (name for name in (*SAMPLING, "stream_options") if name in named)
    if _STREAM.search(refusal):
        yield from TRANSPORT


def _has_system(messages: list[dict[str, str]]) -> bool:
    return any(message["role"] == "system" for message in messages)


def folded(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return messages in which what the system says stands before what the user says first."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    first = others[0] if others and others[0]["role"] == "user" else None
    told = "\n\n".join([*system, first["content"]] if first else system)
    return [{"role": "user", "content": told}, *(others[1:] if first else others)]
