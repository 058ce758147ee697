"""What an embedding server means when it sends no vectors, told with the setting that helps.

`of_texts` in an error's details says that fewer or shorter texts may be taken.
"""

import json
import re
from typing import Any, NamedTuple

import httpx

from shared.errors import PersonaeError, Rejected, Unavailable
from shared.providers.network import faults
from shared.providers.network.faults import Server

READ_OF_A_REFUSAL = 4000  # characters that are looked at
OF_TEXTS = {400, 413, 422}
TOLD_BY_STATUS = {401, 402, 403, 408, 409, 425, 429}
PAGE = "answers with a web page: check PERSONAE_EMBEDDING_URL, and whether a login or a proxy stands before it"
ELSEWHERE = "it redirects to another address: check PERSONAE_EMBEDDING_URL (https? does it end in /v1?)"
LONG = "a text is longer than the model reads: set PERSONAE_EMBEDDING_WINDOW to the model's tokens"
MANY = "it takes fewer texts at once: lower PERSONAE_EMBEDDING_BATCH"
UNWANTED = "it does not take our `input_type`: set PERSONAE_EMBEDDING_INPUT_TYPE=false"
WANTED = "it wants to be told the `input_type`: set PERSONAE_EMBEDDING_INPUT_TYPE=true"
OTHER = "it refuses the request: check PERSONAE_EMBEDDING_URL"
UNTOLD = "a text is too long for it (PERSONAE_EMBEDDING_WINDOW), or an option unknown (PERSONAE_EMBEDDING_INPUT_TYPE)"


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


OPTION = _words(r"input[_ -]?type")
UNKNOWN_OPTION = _words(
    r"extra[ _](input|field|forbidden|param)",
    r"(unrecogni[sz]ed|unknown|unexpected|additional|unsupported) (request )?(field|param|argument|propert|key|option)",
)
OF_ONE_TEXT = _words(
    r"physical batch", r"too large to process"
)  # llama.cpp's, with a status that means a fault of its own
MEANINGS = (
    (OF_ONE_TEXT, LONG),
    (
        _words(
            r"batch[ _-]?size|array too long|items? after validation",
            r"\bper (submitted |single )?batch|(one|single|more) batch(es)?\b",
            r"\bbatch\b.{0,40}(too (large|big|long|many)|exceed|limit|maximum)",
            r"(too (large|big|many)|maximum|max|exceed\w*) (a |the )?batch",
            r"too many (input|text|instance|item|document|string|sentence|request)s",
            r"number of (text|input|item|instance|document|string)s",
            r"\b\d+ (entries|items|texts|inputs|instances|instance\(s\)|elements|strings|documents|sentences)",
        ),
        MANY,
    ),
    (
        _words(
            r"context[ _-]?(size|length|window)|less than \d+ tokens|too many tokens|tokens per request",
            r"\btokens?\b.{0,80}(exceed|limit|maximum|\bmax\b|too (long|many)|only|up to)",
            r"(exceed|limit|maximum|\bmax\b|longer|at most|up to).{0,60}\btokens?\b",
            r"max(imum)?[ _]?(input|sequence|seq|text|token|prompt|allowed|query)?[ _]?(length|tokens|len)\b",
            r"(input|text|prompt|sequence|string|query|passage|document|content)s?\b.{0,60}"
            r"(too (long|large)|longer than|exceed|at most \d+ char)",
        ),
        LONG,
    ),
    (
        _words(r"(not|n.t|no) (support|make|provide|offer|generat)\w*.{0,20}embedding", r"not an embedding"),
        "it makes no embeddings with this model: check PERSONAE_EMBEDDING_MODEL",
    ),
    (
        _words(
            r"model_not_found|(no such|unknown|invalid|unsupported) model",
            r"\bmodel\b.{0,120}(not (be )?(found|exist|known|available|served|loaded|supported)|unknown|n.t exist)",
        ),
        "it has no such model: check PERSONAE_EMBEDDING_MODEL",
    ),
    (
        _words(r"api[ _-]?key|unauthori[sz]ed|unauthenticated|(invalid|missing|expired) (token|credentials)"),
        "it refuses the API key: check PERSONAE_EMBEDDING_API_KEY",
    ),
)
EVEN_AS_A_FAULT = (MEANINGS[0], MEANINGS[2], MEANINGS[3])  # said with a 5xx by some, and not to be tried again


class Refusals(NamedTuple):
    """How one server's refusals are told."""

    server: Server
    says_input_type: bool
    secret: str | None

    def of_response(self, response: httpx.Response) -> PersonaeError:
        """Translate an answer that is no success."""
        error = faults.of_response(self.server, response, secret=self.secret)
        return self._explained(error, response.status_code, response.text[:READ_OF_A_REFUSAL])

    def of_answer(self, response: httpx.Response, answer: Any) -> PersonaeError | None:
        """Translate an answer of success, parsed or None, that holds no vectors; None where it does not say why."""
        said = response.text[:READ_OF_A_REFUSAL].strip()
        if said.startswith("<") or "text/html" in response.headers.get("content-type", ""):
            return Rejected(f"{self.server} {PAGE}")
        known = answer if isinstance(answer, dict) else {}
        if "data" not in known and faults.IS_LOADING.search(said):
            return self._loading()
        failure = known.get("error") or known.get("detail")
        return self._of_failure(failure, said) if failure else None

    def _of_failure(self, failure: Any, said: str) -> PersonaeError:
        code = failure.get("code") or failure.get("status") if isinstance(failure, dict) else None
        status = code if isinstance(code, int) and code >= 400 else 400
        return self._explained(faults.of_status(self.server, status, said, secret=self.secret), status, said)

    def _loading(self) -> PersonaeError:
        return Unavailable(f"{self.server} is still loading its model")

    def _explained(self, error: PersonaeError, status: int, said: str) -> PersonaeError:
        """Say better what the refusal is about, where its words tell."""
        if status in TOLD_BY_STATUS:
            return error
        if status >= 500 and not _meaning_of(said, EVEN_AS_A_FAULT):
            return self._loading() if faults.IS_LOADING.search(said) else error
        advice = self._advice(status, said)
        of_texts = {"of_texts": True} if advice in {LONG, MANY, UNTOLD} else {}
        return Rejected(f"{self.server} answered {status}: {advice}", provider_status=status, **of_texts)

    def _advice(self, status: int, said: str) -> str:
        if 300 <= status < 400:
            return ELSEWHERE
        if OPTION.search(said) or (self.says_input_type and UNKNOWN_OPTION.search(said)):
            return UNWANTED if self.says_input_type else WANTED
        if advice := _meaning_of(said, MEANINGS):
            return advice
        if status == 413:
            return LONG
        return (
            UNTOLD
            if status in OF_TEXTS
            else faults.ADVICE.get(status, OTHER).replace("{variable}", self.server.variable)
        )


def _meaning_of(said: str, meanings: tuple[tuple[re.Pattern[str], str], ...]) -> str | None:
    return next((advice for words, advice in meanings if words.search(said)), None)


def parsed(response: httpx.Response) -> Any:
    """Return an answer's JSON, or None where it is none."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None
